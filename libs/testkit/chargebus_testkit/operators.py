"""Operators of a fleet: they send commands, start and stop charges from afar, and do not mind when a call fails.

A command is asked for again under its idempotency key until the system takes it; what a failed start or stop
has left behind, the checker finds.
"""

import asyncio
import contextlib
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
from chargebus_ocppj.versions import Version
from chargebus_station.station import Station

from chargebus_testkit.api import Api

EVSE: Final = 2
"""Where operators start charges; drivers come to the other EVSE."""

_AT_ONCE: Final = 3
_PAUSE_S: Final = (0.05, 0.3)
_AGAIN_S: Final = 0.3
_TTL_S: Final = 10.0
_TIMEOUT_S: Final = 4.0

_HARMLESS: Final[Mapping[Version, Sequence[tuple[str, dict[str, Any]]]]] = {
    "1.6": (
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        ("GetConfiguration", {"key": ["HeartbeatInterval"]}),
        ("ClearCache", {}),
        ("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "120"}),
        ("UnlockConnector", {"connectorId": 7}),
    ),
    "2.0.1": (
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        (
            "GetVariables",
            {"getVariableData": [{"component": {"name": "TxCtrlr"}, "variable": {"name": "TxStartPoint"}}]},
        ),
        ("ClearCache", {}),
        ("GetTransactionStatus", {}),
    ),
    "2.1": (
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        ("ClearCache", {}),
        ("GetLocalListVersion", {}),
    ),
}


class Operators:
    """A few people at consoles; `command_ids` are the commands that they asked for and the system took."""

    def __init__(self, name: str) -> None:
        self._rng = random.Random(f"operators of {name}")  # noqa: S311 - a test's dice
        self._leaving = asyncio.Event()
        self.command_ids: list[str] = []

    async def work(self, api: Api, stations: Sequence[Station]) -> None:
        """Send commands until `finish`."""
        self._leaving.clear()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(self._one(api, stations))

    def finish(self) -> None:
        """Let everybody end what they are at, and go."""
        self._leaving.set()

    async def _one(self, api: Api, stations: Sequence[Station]) -> None:
        while not self._leaving.is_set():
            station = self._rng.choice(stations)
            act = self._rng.choice((self._ask, self._ask, self._start, self._stop))
            await act(api, station)
            await self._pause(self._rng.uniform(*_PAUSE_S))

    async def _ask(self, api: Api, station: Station) -> None:
        """Ask for a command until the system has taken it."""
        action, payload = self._rng.choice(_HARMLESS[station.config.version])
        body = {"action": action, "payload": payload, "wait": False, "ttl_s": _TTL_S, "timeout_s": _TIMEOUT_S}
        path, key = f"/v1/stations/{station.config.station_id}/commands", {"Idempotency-Key": uuid.uuid4().hex}
        while (answer := await _try(api, "POST", path, json=body, headers=key)) is None:
            await self._pause(_AGAIN_S)
            if self._leaving.is_set():
                return
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            self.command_ids.append(answer.raise_for_status().json()["command_id"])

    async def _start(self, api: Api, station: Station) -> None:
        """Start a charge; that the station may refuse it is its business."""
        token = station.config.local_tokens[0]
        path = f"/v1/stations/{station.config.station_id}/evses/{EVSE}/start"
        answer = await _try(api, "POST", path, json={"id_token": token, "timeout_s": _TIMEOUT_S})
        if answer is not None:
            self.command_ids.append(answer.raise_for_status().json()["command_id"])

    async def _stop(self, api: Api, station: Station) -> None:
        """Stop the charge that an operator started."""
        query = {"station_id": station.config.station_id, "state": "active"}
        listed = await _try(api, "GET", "/v1/sessions", params=query)
        going_on = [] if listed is None else listed.raise_for_status().json()["items"]
        for session in [session for session in going_on if session["evse_id"] == EVSE]:
            answer = await _try(
                api, "POST", f"/v1/sessions/{session['session_id']}/stop", json={"timeout_s": _TIMEOUT_S}
            )
            if answer is not None and answer.status_code != httpx.codes.CONFLICT:  # it has just ended
                self.command_ids.append(answer.raise_for_status().json()["command_id"])

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), seconds)


async def _try(api: Api, method: str, path: str, **options: Any) -> httpx.Response | None:  # noqa: ANN401 - httpx's own
    """Call and return the answer; None where a part of the system is away."""
    try:
        answer = await api.request(method, path, **options)
    except httpx.HTTPError:
        return None
    return None if answer.is_server_error else answer
