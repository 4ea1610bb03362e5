"""The demo data: tokens and the simulated stations' credentials, loaded over the HTTP API like anybody's."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx
from chargebus_station.habits import Habit

from chargebus_cli.errors import CommandError

_DRIVERS: Final[tuple[dict[str, Any], ...]] = (
    *({"id_token": f"DEMO{number:04}", "note": f"demo driver {number}"} for number in range(1, 9)),
    {"id_token": "DEMOFAM1", "group_id": "DEMOFAMILY", "note": "demo family, first card"},
    {"id_token": "DEMOFAM2", "group_id": "DEMOFAMILY", "note": "demo family, second card"},
)
_REFUSED: Final[tuple[dict[str, Any], ...]] = (
    {"id_token": "DEMOBLOCKED", "blocked": True, "note": "demo: blocked"},
    {"id_token": "DEMOEXPIRED", "expires_at": datetime(2024, 1, 1, tzinfo=UTC).isoformat(), "note": "demo: expired"},
)

_AT_THE_DEPOT: Final[tuple[dict[str, Any], ...]] = tuple(
    {"id_token": f"DEPOT{number:04}", "note": f"demo driver {number} of the depot"} for number in range(1, 13)
)

TOKENS: Final = (*_DRIVERS, *_AT_THE_DEPOT, *_REFUSED)
GOOD: Final = tuple(str(token["id_token"]) for token in _DRIVERS)
OF_THE_DEPOT: Final = tuple(str(token["id_token"]) for token in _AT_THE_DEPOT)
DOUBTFUL: Final = tuple(str(token["id_token"]) for token in _REFUSED)

HABITS: Final[Mapping[str, frozenset[Habit]]] = {
    "SIM-03": frozenset({Habit.ZONELESS_TIMES, Habit.LONG_SERIAL_NUMBER, Habit.LONG_TOKENS}),
    "SIM-04": frozenset({Habit.EXTRA_MEMBERS}),
}
"""Two of the simulated stations do as some in the field do, so that their deviations can be looked at."""


class DemoApi:
    """The few calls that the demo makes, with an operator's key."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def load_tokens(self) -> None:
        """Register the demo's tokens; those that exist stay as they are."""
        await self._post("/v1/tokens/bulk", {"tokens": TOKENS})

    async def passwords(self, stations: Sequence[str], kept: Path) -> dict[str, str]:
        """Register the stations that are not, and return the password of each.

        A password is shown once only: those made here are kept in the file `kept`, readable by its owner alone. A
        station whose password was lost gets a new one.
        """
        known = _kept(kept)
        wanted = [{"station_id": station, "name": "simulated"} for station in stations]
        if wanted:
            answer = await self._post("/v1/stations/bulk", {"stations": wanted})
            known |= {item["station_id"]: item["password"] for item in answer["items"] if item["password"]}
        for station in stations:
            if station not in known:
                known[station] = (await self._post(f"/v1/stations/{station}/password", {}))["password"]
        _keep(kept, known)
        return {station: known[station] for station in stations}

    async def describe(self, site_id: str, site: dict[str, Any]) -> None:
        """Describe a site, unless there is one of this id: it may have been changed since."""
        path = f"/v1/sites/{site_id}"
        if (await self._answer("GET", path)).status_code == HTTPStatus.NOT_FOUND:
            _found(path, await self._answer("PUT", path, site))

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return _found(path, await self._answer("POST", path, body))

    async def _answer(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        try:
            return await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            message = f"the HTTP API at {self._client.base_url} does not answer: {error!r}"
            raise CommandError(message) from error


def _found(path: str, answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        message = f"the HTTP API refused {path}: {answer.text}"
        raise CommandError(message)
    found: dict[str, Any] = answer.json()
    return found


def _kept(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    passwords: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return passwords


def _keep(path: Path, passwords: dict[str, str]) -> None:
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(passwords, file, indent=1)
    new.replace(path)
