"""A cause that the whole fleet has makes one alert: 10,000 stations in simulated time, on a real database."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from chargebus_notification.alerts.domain.kinds import KINDS
from chargebus_notification.alerts.operations.judging import Judging
from chargebus_notification.metrics import Metrics
from chargebus_notification.stations.domain.station import (
    Boot,
    Certificate,
    Disobedience,
    EndedSession,
    Meter,
    Monitored,
    Place,
    Refusals,
    Skew,
    Station,
    Told,
    Update,
)
from chargebus_notification.stations.store import stations
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.telemetry import Tracing
from chargebus_testkit.producer import KeepingProducer

MIGRATIONS = Path(__file__).parent.parent / "migrations"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
FLEET = 10_000
STEPS = 5
ONLINE = sorted(set(KINDS) - {"station_offline", "no_session"})
OPEN = "SELECT rule_id, subject, members FROM alert WHERE state <> 'resolved'"


def well(number: int) -> Station:
    """Return a station that charges each day, at an hour of its own."""
    last = NOON - timedelta(minutes=number % 1440)
    days = tuple(last.toordinal() - day for day in range(20))
    name = f"CS-{number:05}"
    return Station(
        name, connected=True, epoch=7, connection_at=last, version="2.0.1", charging_days=days, last_session_at=last
    )


def ill(station: Station, kinds: Collection[str], began: datetime, after: timedelta) -> Station:
    """Return a station with what rules of these kinds tell of, since `began` or that much later: each in its time."""

    def at(minutes: float = 0) -> datetime:
        return began + timedelta(minutes=minutes) + after

    wrong = {
        "evse_faulted": {"places": {"1/1": Place("Faulted", began, began)}},
        "zero_energy": {"ended": tuple(EndedSession(f"{number}", 1, at(number), 0.0) for number in range(3))},
        "repeated_boots": {"boots": tuple(Boot(at(number)) for number in range(3))},
        "commands_failing": {"failures": tuple(Told(f"{number}", "Reset", at(number)) for number in range(3))},
        "security_event": {"security": (Told("1", "TamperDetectionActivated", at()),)},
        "monitored_variable": {"monitored": {"EVSE.Power": Monitored(at(), 0, active=True, since=at())}},
        "firmware_failed": {"update": Update("1", "failed", at())},
        "clock_wrong": {"skews": tuple(Skew(at(number), 900.0) for number in range(3))},
        "meter_stuck": {"meters": {1: Meter(at(30), 100.0, 9000.0, at(), 9000.0)}},
        "breaks_specification": {"breaches": (Told("1", "MeterValues", at(), grave=True),)},
        "certificate_expiring": {"certificates": {"1": Certificate("station", at(60 * 24 * 20), at())}},
        "connections_refused": {"refusals": (Refusals("wrong password", 20, at(), at()),)},
        "limit_disobeyed": {"disobeyed": {1: Disobedience(at(), at(), active=True)}},
    }
    assert wrong.keys() == set(ONLINE)
    return msgspec.structs.replace(station, **{name: told for kind in kinds for name, told in wrong[kind].items()})


@dataclass
class Simulated:
    """The rules, and what they read; `at` is up to when."""

    database: Database
    at: datetime = NOON

    def __post_init__(self) -> None:
        self.judging = Judging(self.database, self, lambda: (), Metrics())

    async def take(self, told: Sequence[Station]) -> None:
        """Keep what is told of stations, and have rules look at what is due."""
        async with self.database.transaction() as tx:
            await stations.keep(tx.connection, [(each, self.at) for each in told], self.at)
        await self.judging.sweep()
        await self.judging.look_at_groups()

    async def open(self) -> list[tuple[str, str, int]]:
        """Return what alerts are open: of which rule, of what, and for how many stations."""
        return sorted(tuple(row) for row in await self.database.pool.fetch(OPEN))


@pytest.fixture
async def simulated(make_migrated, postgres) -> AsyncIterator[Simulated]:
    name = await make_migrated("fleet", MIGRATIONS)
    options = DatabaseOptions(name, postgres.url, MIGRATIONS, pool_size=4, silent_s=300)
    database = Database(options, KeepingProducer(), lambda: simulated.at, Tracing(enabled=False))
    simulated = Simulated(database)
    await database.start()
    yield simulated
    await database.stop()


def kinds_of(number: int) -> set[str]:
    """Return what is wrong at a station: at each something else, so that the test does not take for ever."""
    return {ONLINE[(number + each) % len(ONLINE)] for each in (0, 5)}


async def test_what_ten_thousand_stations_come_to_makes_one_alert_of_each_rule(simulated):
    fleet = [well(number) for number in range(FLEET)]
    began, piece = NOON + timedelta(minutes=30), FLEET // STEPS
    simulated.at = began + timedelta(minutes=50)
    for step in range(STEPS):
        told = range(step * piece, (step + 1) * piece)
        await simulated.take(
            [ill(fleet[number], kinds_of(number), began, timedelta(seconds=number / 10)) for number in told]
        )

    of_each = Counter(kind for number in range(FLEET) for kind in kinds_of(number))
    assert await simulated.open() == [(kind, "fleet", of_each[kind]) for kind in ONLINE]


async def test_where_nobody_charges_at_ten_thousand_stations_any_more_one_alert_says_so(simulated):
    fleet = [well(number) for number in range(FLEET)]
    await simulated.take(fleet)

    assert await simulated.open() == []
    for hours in (60, 66, 72):  # nobody has charged since noon: one after the other is told of, three days later
        simulated.at = NOON + timedelta(hours=hours)
        await simulated.take([])
    assert await simulated.open() == [("no_session", "fleet", FLEET)]

    back = [msgspec.structs.replace(each, last_session_at=simulated.at) for each in fleet[10:]]
    await simulated.take(back)
    for _ in range(2):
        simulated.at += timedelta(minutes=30)
        await simulated.take([])
    assert await simulated.open() == [("no_session", f"CS-{number:05}", 0) for number in range(10)]
