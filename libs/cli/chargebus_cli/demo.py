"""The demo data: tokens and the simulated stations' credentials, loaded over the HTTP API like anybody's."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx
from chargebus_station.habits import Habit

from chargebus_cli import roll_outs
from chargebus_cli.errors import CommandError
from chargebus_cli.pki import EMAID

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

_CONTRACTS: Final[tuple[dict[str, Any], ...]] = (
    {"id_token": EMAID, "type": "eMAID", "note": "demo: a vehicle's contract, for Plug & Charge"},
)

TOKENS: Final = (*_DRIVERS, *_AT_THE_DEPOT, *_CONTRACTS, *_REFUSED)
GOOD: Final = tuple(str(token["id_token"]) for token in _DRIVERS)
OF_THE_DEPOT: Final = tuple(str(token["id_token"]) for token in _AT_THE_DEPOT)
DOUBTFUL: Final = tuple(str(token["id_token"]) for token in _REFUSED)

HABITS: Final[Mapping[str, frozenset[Habit]]] = {
    "SIM-03": frozenset({Habit.ZONELESS_TIMES, Habit.LONG_SERIAL_NUMBER, Habit.LONG_TOKENS}),
    "SIM-04": frozenset({Habit.EXTRA_MEMBERS}),
}
"""Two of the simulated stations do as some in the field do, so that their deviations can be looked at."""


@dataclass(frozen=True)
class Told:
    """Who is told of alerts: a URL, and an address of mail."""

    webhook: str
    address: str

    def subscriptions(self) -> Iterator[dict[str, Any]]:
        """Return them as an operator describes them."""
        yield {"name": "the demo's mail", "channel": {"kind": "mail", "addresses": [self.address]}}
        yield {"name": "the demo's webhook", "channel": {"kind": "webhook", "url": self.webhook}}


class DemoApi:
    """The few calls that the demo makes, with an operator's key."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def load_tokens(self) -> None:
        """Register the demo's tokens; those that exist stay as they are."""
        await self._post("/v1/tokens/bulk", {"tokens": TOKENS})

    async def trust_contracts(self, root: str) -> None:
        """Upload the root under which contracts are trusted; one that is there stays."""
        kind = "MORootCertificate"
        await self._post("/v1/certificates", {"pem": root, "name": "the demo's provider of contracts", "kind": kind})

    async def passwords(self, stations: Mapping[str, Mapping[str, str]], kept: Path) -> dict[str, str]:
        """Register the stations that are not, each with its labels, and return the password of each.

        A password is shown once only: those made here are kept in the file `kept`, readable by its owner alone. A
        station whose password was lost gets a new one.
        """
        known = _kept(kept)
        wanted = [
            {"station_id": station, "name": "simulated", "labels": dict(labels)} for station, labels in stations.items()
        ]
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

    async def subscribe(self, told: Told) -> None:
        """Have somebody told of alerts; where the demo did so before, it goes where that is now."""
        path = "/v1/subscriptions"
        listed = _found(path, await self._answer("GET", f"{path}?limit=500"))["items"]
        known = {each["name"]: each["subscription_id"] for each in listed}
        for wanted in told.subscriptions():
            if wanted["name"] in known:
                one = f"{path}/{known[wanted['name']]}"
                _found(one, await self._answer("PUT", one, wanted))
            else:
                await self._post(path, wanted)

    async def have_booted(self, stations: Sequence[str]) -> bool:
        """Tell whether it is known of all of these stations what they are."""
        path = "/v1/firmware/stations"
        found = [await self._answer("GET", f"{path}/{station}") for station in stations]
        return all(answer.is_success and answer.json()["firmware_version"] for answer in found)

    async def roll_out(self, models: Sequence[str]) -> bool:
        """Upload an image for models and begin a campaign for it, unless there is one: it may have gone on since.

        Return whether it began.
        """
        path = "/v1/firmware/campaigns"
        listed = _found(path, await self._answer("GET", f"{path}?limit=100"))["items"]
        if roll_outs.name_of(models) in {campaign["name"] for campaign in listed}:
            return False
        images = "/v1/firmware/images"
        image = await self._post(images, roll_outs.described(models))
        to = f"{images}/{image['image_id']}/content"
        _found(to, await self._answer("PUT", to, content=roll_outs.content(models)))
        await self._post(path, roll_outs.campaign(image["image_id"], models))
        return True

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return _found(path, await self._answer("POST", path, body))

    async def _answer(
        self, method: str, path: str, body: dict[str, Any] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        try:
            return await self._client.request(method, path, json=body, content=content)
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


def keep_changed(path: Path, changed: Mapping[str, str]) -> None:
    """Keep the passwords that stations were told to change to, beside those of all others."""
    _keep(path, {**_kept(path), **changed})


def _keep(path: Path, passwords: Mapping[str, str]) -> None:
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(passwords, file, indent=1)
    new.replace(path)
