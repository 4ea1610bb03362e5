"""`chargebus simulate`: demo data, and a simulated fleet that charges at a running system."""

from dataclasses import dataclass
from pathlib import Path

import httpx
from chargebus_station import fleet
from chargebus_station.arrivals import Drivers

from chargebus_cli import demo
from chargebus_cli.say import say
from chargebus_cli.stopping import Stopped, stop_on_signal, unless

_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Target:
    """Where to simulate: `stations` of them at `ocpp_url` (without a station), their data over `http_url` with `key`.

    `kept` is the folder in which the stations' passwords and meters are kept from one run to the next.
    """

    stations: int
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
        passwords = await api.passwords(fleet.station_ids(target.stations), target.kept / "passwords.json")
    if passwords:
        drivers = Drivers(good=demo.GOOD, doubtful=demo.DOUBTFUL)
        plan = fleet.Plan(target.ocpp_url, passwords, drivers, meters=target.kept / "meters.json", habits=demo.HABITS)
        say(f"{len(passwords)} simulated stations charge; their day passes at {plan.speed:.0f} times the speed.")
        await fleet.run(plan, say)


async def run(target: Target) -> None:
    """Let the fleet charge until Ctrl-C."""
    try:
        await unless(stop_on_signal(), live(target))
    except Stopped:
        say("The stations have gone home.")
