"""`chargebus simulate`: demo data, and a simulated fleet that charges at a running system."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx
from chargebus_station import fleet
from chargebus_station.arrivals import Drivers

from chargebus_cli import demo, depot
from chargebus_cli.say import say
from chargebus_cli.stopping import Stopped, stop_on_signal, unless

_TIMEOUT_S = 30.0
_SAY_OF_THE_DEPOT_S = 60.0


@dataclass(frozen=True)
class Target:
    """Where to simulate: `stations` of them at `ocpp_url` (without a station), their data over `http_url` with `key`.

    `depot` are those of the depot, whose power is planned. `kept` is the folder in which the stations' passwords and
    meters are kept from one run to the next.
    """

    stations: int
    depot: int
    ocpp_url: str
    http_url: str
    key: str
    kept: Path


async def live(target: Target) -> None:
    """Load the demo data and let the fleet charge until cancelled; without a fleet, return at once.

    Raises:
        CommandError: the HTTP API does not answer, or refuses the key.
    """
    target.kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    headers = {"X-API-Key": target.key}
    async with httpx.AsyncClient(base_url=target.http_url, headers=headers, timeout=_TIMEOUT_S) as client:
        api = demo.DemoApi(client)
        await api.load_tokens()
        town, at_depot = fleet.station_ids(target.stations), depot.station_ids(target.depot)
        passwords = await api.passwords([*town, *at_depot], target.kept / "passwords.json")
        if at_depot:
            await api.describe(depot.SITE_ID, depot.site(at_depot))
    async with asyncio.TaskGroup() as fleets:
        if town:
            fleets.create_task(fleet.run(_town(target, {station: passwords[station] for station in town}), say))
        if at_depot:
            fleets.create_task(fleet.run(_depot(target, {station: passwords[station] for station in at_depot}), say))


def _town(target: Target, passwords: dict[str, str]) -> fleet.Plan:
    drivers, meters = Drivers(good=demo.GOOD, doubtful=demo.DOUBTFUL), target.kept / "meters.json"
    plan = fleet.Plan(target.ocpp_url, passwords, drivers, meters=meters, habits=demo.HABITS)
    say(f"{len(passwords)} simulated stations charge; their day passes at {plan.life.speed:.0f} times the speed.")
    return plan


def _depot(target: Target, passwords: dict[str, str]) -> fleet.Plan:
    drivers, meters = Drivers(good=demo.OF_THE_DEPOT), target.kept / "depot-meters.json"
    say(f"{len(passwords)} more share the grid connection of a depot: GET /v1/sites/{depot.SITE_ID}/state")
    return fleet.Plan(
        target.ocpp_url,
        passwords,
        drivers,
        life=depot.life(),
        kinds=depot.KINDS,
        meters=meters,
        say_every_s=_SAY_OF_THE_DEPOT_S,
    )


async def run(target: Target) -> None:
    """Let the fleet charge until Ctrl-C."""
    try:
        await unless(stop_on_signal(), live(target))
    except Stopped:
        say("The stations have gone home.")
