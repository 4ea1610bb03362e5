"""A site of 40 EVSEs whose limit shrinks, while what plans it is killed, restarted and doubled.

What counts is what the vehicles really draw, as their meters have it, on each phase of the grid connection.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_ocppj.versions import VERSIONS
from chargebus_station.backoff import Backoff
from chargebus_station.charging import Vehicle
from chargebus_station.clock import ScaledClock
from chargebus_station.config import AC_22, Network, StationConfig
from chargebus_station.driver_visit import DriverVisit
from chargebus_station.state import Evse
from chargebus_station.station import Station
from chargebus_station.transaction import IdToken
from chargebus_testkit.api import Api
from chargebus_testkit.checker import Checker, Expected
from chargebus_testkit.system import System
from chargebus_testkit.waiting import eventually, until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("away or doubled"),
]

STATIONS = 20
OUTLETS = (AC_22, AC_22)
GRID_A = 240.0
INTERVAL_S = 5.0
ANSWERED_WITHIN_S = 20.0
"""How long the stations and this machine may take beyond an interval."""

THREE = Vehicle(80_000, 11_000, soc=0.1, max_current_a=16)
ONE = Vehicle(60_000, 7_400, soc=0.1, phases=1, max_current_a=16)
MEASURANDS = "Energy.Active.Import.Register,Power.Active.Import,Current.Import"
SETTINGS = {
    "1.6": {"MeterValueSampleInterval": "2", "MeterValuesSampledData": MEASURANDS},
    "2.0.1": {"SampledDataCtrlr.TxUpdatedInterval": "2", "SampledDataCtrlr.TxUpdatedMeasurands": MEASURANDS},
}
SETTINGS["2.1"] = SETTINGS["2.0.1"]
ROTATED = ((1, 2, 3), (2, 3, 1), (3, 1, 2))


def phases_of(number: int, evse_id: int) -> tuple[int, int, int]:
    return ROTATED[(number + evse_id) % 3]


@dataclass
class Site:
    """The site: its stations, and the most that was ever drawn on its worst phase since `watch` was told so."""

    api: Api
    site_id: str
    stations: list[Station]
    most_a: float = 0.0
    watching: set[asyncio.Task[None]] = field(default_factory=set)

    def drawn_a(self) -> float:
        """Return what flows on the worst phase of the grid connection."""
        phases = [0.0, 0.0, 0.0]
        for number, station in enumerate(self.stations):
            for evse in station.state.evses.values():
                for phase, amperes in zip(phases_of(number, evse.id), _currents(station, evse), strict=True):
                    phases[phase - 1] += amperes
        return max(phases)

    async def watch(self) -> None:
        """Note the most that flows, as long as it is not cancelled."""
        while True:
            self.most_a = max(self.most_a, self.drawn_a())
            await asyncio.sleep(0.1)

    async def limit(self, amperes: float) -> None:
        """Have somebody limit the whole site."""
        body = {"periods": [{"phase_a": amperes}]}
        await self.api.call("PUT", f"/v1/sites/{self.site_id}/limits/grid-operator/shrinking", body)

    async def obeys(self, amperes: float, within_s: float = INTERVAL_S + ANSWERED_WITHIN_S) -> None:
        """See that no more flows in time, for a whole interval and on, and that the site knows it from its meters."""
        began = over_at = time.monotonic()

        def holds() -> bool:
            nonlocal over_at
            if self.drawn_a() > amperes + 0.5:
                over_at = time.monotonic()
            return time.monotonic() >= over_at + INTERVAL_S

        await until(holds, within_s + INTERVAL_S, what=f"{amperes} A on every phase")
        self.most_a = 0.0
        await eventually(
            lambda: self.api.call("GET", f"/v1/sites/{self.site_id}/state"),
            lambda state: _measured(state) is not None and _measured(state) <= amperes + 1,
            within_s,
            what=f"{amperes} A measured at the root ({time.monotonic() - began:.0f} s after it was obeyed)",
        )
        await asyncio.sleep(INTERVAL_S)
        assert self.most_a <= amperes + 0.5

    async def uses(self, amperes: float) -> None:
        """Wait until at least so much flows on the worst phase."""
        await until(lambda: self.drawn_a() >= amperes, what=f"{amperes} A used")


def _currents(station: Station, evse: Evse) -> list[float]:
    shown = station.state.shown(evse, station.clock.now())
    used = shown.used or 1
    return [shown.power_w / used / 230 if number < shown.used else 0.0 for number in range(3)]


def _measured(state) -> float | None:
    [root] = [node for node in state["nodes"] if node["node_id"] == "grid"]
    return None if root["measured_a"] is None else max(root["measured_a"])


@asynccontextmanager
async def charging_site(system: System, api: Api, name: str) -> AsyncIterator[Site]:
    """Describe a site, have its stations hold their defaults, and let a vehicle charge at each of its EVSEs."""
    ids = [f"{name}-{number:02}" for number in range(STATIONS)]
    passwords = await api.register(ids)
    drivers = [f"{station_id}-{evse_id}" for station_id in ids for evse_id in (1, 2)]
    await api.call("POST", "/v1/tokens/bulk", {"tokens": [{"id_token": driver} for driver in drivers]})
    clock = ScaledClock(60, datetime.now(UTC) - timedelta(minutes=10))
    async with AsyncExitStack() as on:
        stations = []
        for number, station_id in enumerate(ids):
            version = VERSIONS[number % len(VERSIONS)]
            network = Network(answer_timeout_s=10, backoff=Backoff(minimum_s=0.3, jitter_s=0.5, doublings=2))
            config = StationConfig(
                station_id,
                version,
                system.ocpp_url,
                passwords[station_id],
                outlets=OUTLETS,
                settings=SETTINGS[version],
                network=network,
                seed=name,
            )
            stations.append(await on.enter_async_context(Station(config, clock)))
        await until(lambda: all(station.online for station in stations), what="all stations online")
        site = Site(api, name, stations)
        await api.call("PUT", f"/v1/sites/{name}", described(ids))
        await until(lambda: all(map(_holds_default, stations)), 40, what="a default at every station")
        watching = asyncio.create_task(site.watch())
        try:
            for station in stations:
                for evse_id in (1, 2):
                    driver = IdToken(f"{station.config.station_id}-{evse_id}")
                    vehicle = THREE if evse_id == 1 else ONE
                    station.visit(DriverVisit(evse_id, vehicle, driver, stay_s=36_000))
            yield site
            for station in stations:
                station.close()
            await until(lambda: all(station.settled for station in stations), 60, what="all is answered")
        finally:
            watching.cancel()
        await api.call("DELETE", f"/v1/sites/{name}")


def described(ids: list[str]) -> dict[str, object]:
    evses = [
        {
            "station_id": station_id,
            "evse_id": evse_id,
            "node_id": "hall" if number % 2 else "yard",
            "phases": list(phases_of(number, evse_id)),
            "min_a": 6.0,
            "max_a": 32.0,
        }
        for number, station_id in enumerate(ids)
        for evse_id in (1, 2)
    ]
    nodes = [
        {"node_id": "grid", "capacity": {"phase_a": GRID_A}},
        {"node_id": "hall", "parent_id": "grid", "capacity": {"phase_a": 160.0}},
        {"node_id": "yard", "parent_id": "grid", "capacity": {"phase_a": 160.0}},
    ]
    policy = {"interval_s": INTERVAL_S, "grace_s": 10.0, "spacing_s": 1.0, "profile_life_s": 120.0}
    return {"nodes": nodes, "evses": evses, "policy": policy | {"least_pause_s": 10.0, "least_charge_s": 10.0}}


def _holds_default(station: Station) -> bool:
    held = {profile.evse_id for profile in station.state.profiles.held if profile.purpose == "TxDefaultProfile"}
    return 0 in held or {1, 2} <= held


async def test_a_shrinking_limit_is_obeyed_whatever_becomes_of_who_plans(system, checker: Checker):
    await system.tidy()
    second = system.place("smart_charging")
    async with system.api() as api, charging_site(system, api, "forty") as site:
        await site.uses(0.7 * GRID_A)
        assert site.most_a <= GRID_A + 0.5, "nothing is promised twice, from the first vehicle on"

        await site.limit(150)
        await site.obeys(150)

        await site.limit(100)
        await system["smart_charging"].kill()  # in mid-plan: some stations are told, others are not
        await system["smart_charging"].start()
        await site.obeys(100)

        await second.start()
        site.most_a = 0.0
        await site.limit(180)
        await site.uses(130)
        assert site.most_a <= 180 + 0.5

        await system["smart_charging"].kill()
        await site.limit(80)
        await site.obeys(80, INTERVAL_S + ANSWERED_WITHIN_S + 10)  # until the group has seen that a copy is gone
        await system["smart_charging"].start()
        await second.stop()
    assert await checker.objections(Expected()) == []
