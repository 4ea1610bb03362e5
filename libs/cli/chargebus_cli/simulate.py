"""`chargebus simulate`: demo data, and a simulated fleet that charges at a running system."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from chargebus_station import fleet
from chargebus_station.arrivals import Drivers

from chargebus_cli import demo, depot, roll_outs
from chargebus_cli.errors import CommandError
from chargebus_cli.say import say
from chargebus_cli.stopping import Stopped, stop_on_signal, unless

_TIMEOUT_S = 30.0
_PASSWORDS = "passwords.json"
_LOOK_EVERY_S = 2.0
_SAY_OF_THE_DEPOT_S = 60.0


@dataclass(frozen=True)
class Target:
    """Where to simulate: `stations` of them at `ocpp_url` (without a station), their data over `http_url` with `key`.

    `depot` are those of the depot, whose power is planned. `kept` is the folder in which the stations' passwords and
    meters are kept from one run to the next. `told` is who is to be told of alerts, if anybody is. `secure` are those
    that connect over TLS. `vehicles` charge by contract at some of them, which `contract_root` (PEM) vouches for.
    """

    stations: int
    depot: int
    ocpp_url: str
    http_url: str
    key: str
    kept: Path
    told: demo.Told | None = None
    secure: Mapping[str, fleet.SecureConnection] = field(default_factory=dict)
    contract_root: str = ""
    vehicles: Mapping[str, fleet.ContractVehicle] = field(default_factory=dict)


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
        if target.contract_root:
            await api.trust_contracts(target.contract_root)
        town, at_depot = fleet.station_ids(target.stations), depot.station_ids(target.depot)
        labels = dict.fromkeys(town, roll_outs.TOWN_LABELS) | dict.fromkeys(at_depot, depot.LABELS)
        passwords = await api.passwords(labels, target.kept / _PASSWORDS)
        if at_depot:
            await api.describe(depot.SITE_ID, depot.site(at_depot))
        if target.told is not None and (town or at_depot):
            await api.subscribe(target.told)
        async with asyncio.TaskGroup() as tasks:
            if town:
                tasks.create_task(fleet.run(_town(target, {station: passwords[station] for station in town}), say))
                tasks.create_task(_roll_out(api, town))
            if at_depot:
                tasks.create_task(fleet.run(_depot(target, {station: passwords[station] for station in at_depot}), say))


async def _roll_out(api: demo.DemoApi, town: Sequence[str]) -> None:
    """Begin the campaigns once the stations have booted: who is in one is fixed when it begins.

    The fleet charges on, whatever comes of it.
    """
    try:
        while not await api.have_booted(town):  # noqa: ASYNC110  others' stations: nothing but time to wait for
            await asyncio.sleep(_LOOK_EVERY_S)
        for models in (roll_outs.GOOD_MODELS, (roll_outs.BAD_MODEL,)):
            if await api.roll_out(models):
                say(f"New firmware goes to {', '.join(models)}: GET /v1/firmware/campaigns")
    except CommandError as error:
        say(f"No new firmware goes to the town: {error}")


def _town(target: Target, passwords: dict[str, str]) -> fleet.Plan:
    drivers, meters = Drivers(good=demo.GOOD, doubtful=demo.DOUBTFUL), target.kept / "meters.json"
    faults = roll_outs.faults(list(passwords))
    plan = fleet.Plan(
        target.ocpp_url,
        passwords,
        drivers,
        meters=meters,
        habits=demo.HABITS,
        faults=faults,
        secure=target.secure,
        vehicles=target.vehicles,
        keep_passwords=partial(demo.keep_changed, target.kept / _PASSWORDS),
    )
    say(f"{len(passwords)} simulated stations charge; their day passes at {plan.life.speed:.0f} times the speed.")
    for station_id in passwords:
        if station_id in target.secure:
            shown = "a password" if target.secure[station_id].tls.certificate is None else "a certificate"
            say(f"{station_id} connects over TLS, and shows {shown}: GET /v1/stations/{station_id}")
    for station_id in target.vehicles.keys() & passwords.keys():
        emaid = target.vehicles[station_id].token.text
        say(f"A vehicle charges by contract at {station_id} (Plug & Charge): GET /v1/sessions?id_token={emaid}")
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
        keep_passwords=partial(demo.keep_changed, target.kept / _PASSWORDS),
    )


async def run(target: Target) -> None:
    """Let the fleet charge until Ctrl-C."""
    try:
        await unless(stop_on_signal(), live(target))
    except Stopped:
        say("The stations have gone home.")
