"""Steering in the service's process: stations are heard, asked, and what they answer comes into the steering."""

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from chargebus_commanding import Commanding
from chargebus_events.commands import CommandOutcome
from chargebus_events.frames import Frame
from chargebus_events.public import (
    CONNECTOR_STATUS,
    STATION_BOOTED,
    STATION_CONNECTION,
    ConnectorStatus,
    StationBooted,
    StationConnection,
    event,
)
from chargebus_events.topics import COMMANDS, frames_topic
from chargebus_smart_charging.main import build, intents
from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.names import SERVICE
from chargebus_smart_charging.planning.operations.planning import Planning
from chargebus_smart_charging.planning.operations.solver import Solvers
from chargebus_smart_charging.sites.store import sites
from chargebus_smart_charging.steering.domain.profiles import FIRST_ID
from chargebus_smart_charging.steering.domain.stepping import step
from chargebus_smart_charging.steering.operations import Steering
from chargebus_smart_charging.steering.store.known import load
from chargebus_testkit.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def station_id() -> str:
    return f"CS-{uuid4().hex[:8]}"


class Bench:
    """A station under a site in a running service, and what is asked of it."""

    def __init__(self, bed, process, client, station_id: str, version: str) -> None:
        self.bed, self.process, self.client, self.station_id, self.version = bed, process, client, station_id, version
        self.site_id = f"site-{station_id}"
        self.model = f"M-{station_id}"
        self.commanding = Commanding(SERVICE, process.service.database, intents(Metrics()), process.edges.kafka_clock)
        self.answered: set[str] = set()

    async def describe(self, **policy) -> None:
        site = {
            "name": "depot",
            "nodes": [{"node_id": "grid", "capacity": {"phase_a": 63}}],
            "evses": [{"station_id": self.station_id, "evse_id": 1, "node_id": "grid", "max_a": 32}],
            "policy": policy,
        }
        answer = await self.client.put(f"/sites/{self.site_id}", json=site)
        assert answer.status_code == 201, answer.text

    async def boots(self) -> None:
        told = [
            (STATION_CONNECTION, StationConnection(self.station_id, NOW, True, 1, self.version)),
            (
                STATION_BOOTED,
                StationBooted(self.station_id, NOW, "accepted", self.version, "V", self.model, firmware_version="1"),
            ),
            (CONNECTOR_STATUS, ConnectorStatus(self.station_id, NOW + timedelta(seconds=1), 1, 1, "Available")),
        ]
        await self.process.producer.publish([event(kind, uuid4().hex, "/device", NOW, body) for kind, body in told])
        await self.shows(lambda shown: shown["online"] and shown["model"] == self.model)

    async def plans(self, wanted_a: float | None):
        """Do what the planner does about its EVSE."""
        key = self.station_id, 1
        async with self.process.service.database.transaction() as tx:
            known = await load(tx.connection, (await sites.load(tx.connection, [self.site_id])).values())
            done = step(known.steered[key], wanted_a, known.steerables[key], tx.now)
            await Steering(self.commanding, Metrics()).act(tx, known, {key: done})
        return done

    async def asked(self, intent: str) -> list[tuple[str, str]]:
        """The commands of an intent that were asked and not answered yet, with their subjects."""
        async with self.process.service.database.pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT command_id, subject FROM asked_command WHERE station_id = $1 AND intent = $2 "
                "AND outcome IS NULL ORDER BY requested_at",
                self.station_id,
                intent,
            )
        return [(row["command_id"], row["subject"]) for row in rows]

    async def says_how_much_it_takes(self, payload: dict) -> None:
        """Let the planner ask how much the station may be asked at once, and then of itself."""
        await self.plans(None)
        await self.answers("limits", payload)
        await self.plans(None)

    async def answers(self, intent: str, payload: dict | None, outcome: str = "answered", error: str = "") -> None:
        """Let the station answer all that it was asked for an intent."""
        asked = await self.asked(intent)
        assert asked
        raw = None if payload is None else msgspec.Raw(json.dumps(payload).encode())
        await self.process.producer.publish(
            [
                CommandOutcome(
                    command_id,
                    self.station_id,
                    SERVICE,
                    outcome,
                    NOW,
                    datetime.now(UTC),
                    intent,
                    subject,
                    version=self.version,
                    payload=raw,
                    error_code=error,
                ).record()
                for command_id, subject in asked
            ]
        )
        await eventually(lambda: self.asked(intent), lambda left: not left, what=f"the outcomes of {intent} are taken")

    async def shows(self, condition, what: str = "it is shown so") -> dict:
        answer = await eventually(
            lambda: self.client.get(f"/stations/{self.station_id}/charging"),
            lambda answer: answer.status_code == 200 and condition(answer.json()),
            what=what,
        )
        return answer.json()


@pytest.fixture
def make_bench(make_bed, station_id, monkeypatch):
    """Return what makes a bench: `async with make("2.0.1") as bench`; it alone plans there."""
    monkeypatch.setenv("SMART_CHARGING_PLANNERS", "0")

    @asynccontextmanager
    async def make(version: str, **policy):
        bed = make_bed(build)
        async with bed.running() as process, bed.client("operator") as client:
            made = Bench(bed, process, client, station_id, version)
            await made.describe(**policy)
            await made.boots()
            yield made

    return make


@pytest.mark.road
async def test_a_station_gets_its_default_and_what_it_accepts_is_counted(make_bench):
    async with make_bench("2.0.1") as bench:
        assert [order.asking for order in (await bench.plans(None)).orders] == ["default"]
        await bench.answers("order", {"status": "Accepted"})

        done = await bench.plans(None)
        shown = await bench.shows(lambda shown: shown["evses"][0]["default"]["accepted"])

    assert [order.asking for order in done.orders] == ["verify"]
    assert shown["evses"][0]["use"] == "idle"
    assert shown["evses"][0]["counted_a"] == 0


def variable(component: str, name: str, value: str, **of_variable: str) -> dict:
    return {
        "attributeStatus": "Accepted",
        "attributeValue": value,
        "component": {"name": component},
        "variable": {"name": name, **of_variable},
    }


SMART_CHARGING = [
    variable("SmartChargingCtrlr", "RateUnit", "W"),
    variable("SmartChargingCtrlr", "ProfileStackLevel", "4"),
]


async def test_B06_FR_16_a_station_is_asked_of_itself_in_pieces_that_it_takes(make_bench):
    async with make_bench("2.0.1") as bench:
        most = variable("DeviceDataCtrlr", "ItemsPerMessage", "4", instance="GetVariables")
        await bench.says_how_much_it_takes({"getVariableResult": [most]})
        assert len(await bench.asked("habits")) == 3, "eleven variables"
        await bench.answers("habits", {"getVariableResult": SMART_CHARGING})
        shown = await bench.shows(lambda shown: shown["said_at"])

    assert (shown["habits"]["unit"], shown["habits"]["max_stack_level"]) == ("W", 4)


async def test_B06_FR_16_a_station_that_is_asked_too_much_at_once_is_asked_less_at_once(make_bench):
    async with make_bench("2.0.1") as bench:
        await bench.says_how_much_it_takes({"getVariableResult": []})
        await bench.answers("habits", None, "refused", "OccurrenceConstraintViolation")
        await bench.plans(None)

        assert len(await bench.asked("habits")) == 3


async def test_a_boot_has_a_station_say_what_it_can_take(make_bench):
    async with make_bench("2.0.1") as bench:
        await bench.says_how_much_it_takes({"getVariableResult": []})
        assert len(await bench.asked("habits")) == 1
        await bench.answers("habits", {"getVariableResult": SMART_CHARGING})
        shown = await bench.shows(lambda shown: shown["said_at"])

    assert (shown["habits"]["unit"], shown["habits"]["max_stack_level"]) == ("W", 4)


async def test_a_default_that_is_not_reported_is_given_again(make_bench):
    async with make_bench("2.0.1") as bench:
        await bench.plans(None)
        await bench.answers("order", {"status": "Accepted"})
        await bench.plans(None)
        await bench.answers("profiles", {"status": "NoProfiles"})
        await bench.shows(lambda shown: shown["evses"][0]["default"]["accepted"] is None, "the default is missed")
        done = await bench.plans(None)

    assert [order.asking for order in done.orders] == ["default"]
    assert [notice.rule for notice in done.notices] == ["profile_drift"]


async def test_profiles_that_a_station_reports_are_listed_with_whose_they_are(make_bench):
    async with make_bench("2.0.1") as bench:
        profiles = [
            {
                "id": number,
                "stackLevel": level,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": [
                    {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]}
                ],
            }
            for number, level in ((FIRST_ID + 12, 0), (7, 3))
        ]
        payload = {"requestId": 5, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": profiles}
        frame = Frame(
            bench.station_id, "2.0.1", "ReportChargingProfiles", "m1", 0, 7, 1, json.dumps(payload).encode(), NOW
        )
        await bench.process.producer.publish([frame.record(frames_topic("smart_charging"))])
        answer = await eventually(
            lambda: bench.client.get(f"/stations/{bench.station_id}/charging-profiles"),
            lambda answer: answer.status_code == 200 and len(answer.json()["items"]) == 2,
            what="both profiles are listed",
        )

    assert [(item["profile_id"], item["ours"]) for item in answer.json()["items"]] == [
        (FIRST_ID + 12, True),
        (7, False),
    ]


async def test_what_stations_of_a_kind_answer_is_learned(make_bench):
    async with make_bench("1.6") as bench:
        await bench.plans(None)
        await bench.answers("order", {"status": "Accepted"})
        kinds = await eventually(
            lambda: bench.client.get("/smart-charging/habits", params={"limit": 500}),
            lambda answer: any(kind["model"] == bench.model for kind in answer.json()["items"]),
            what="the kind is listed",
        )

    (kind,) = [kind for kind in kinds.json()["items"] if kind["model"] == bench.model]
    assert kind["taken"]["TxDefaultProfile"] == 1
    assert kind["stations"] == 1


async def test_a_station_that_does_not_measure_is_configured_to_where_the_site_says_so(make_bench):
    async with make_bench("1.6", sets_measurands=True) as bench:
        await bench.says_how_much_it_takes({"configurationKey": []})
        sampled = {"key": "MeterValuesSampledData", "readonly": False, "value": "Energy.Active.Import.Register"}
        await bench.answers("habits", {"configurationKey": [sampled]})
        await bench.shows(lambda shown: shown["measurands"] == ["Energy.Active.Import.Register"])
        await bench.plans(None)
        await bench.plans(None)

        assert len(await bench.asked("measurands")) == 1


async def test_a_station_that_is_told_too_often_is_told_less_often(make_bench):
    async with make_bench("2.1") as bench:
        await bench.plans(None)
        await bench.answers("order", {"status": "Rejected", "statusInfo": {"reasonCode": "RateLimitExceeded"}})
        shown = await bench.shows(lambda shown: shown["habits"]["update_spacing_s"] == 60)
        done = await bench.plans(None)

    assert not done.orders
    assert shown["evses"][0]["default"]["accepted"] is None


async def test_what_a_station_allows_is_asked_now_and_shown_beside_what_it_was_told(make_bench):
    async with make_bench("2.0.1") as bench:
        await bench.plans(None)
        path = f"/stations/{bench.station_id}/evses/1/composite-schedule"
        asking = asyncio.create_task(bench.client.get(path))
        await eventually(lambda: bench.asked("composite"), bool, what="the station is asked")
        schedule = {
            "evseId": 1,
            "duration": 3600,
            "scheduleStart": NOW.isoformat(),
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
        }
        await bench.answers("composite", {"status": "Accepted", "schedule": schedule})
        answer = await asking

    assert answer.status_code == 200
    told = answer.json()
    assert (told["outcome"], told["status"], told["unit"]) == ("answered", "Accepted", "A")
    assert [level["limit_a"] for level in told["allowed"]] == [16.0]


async def test_a_station_that_nobody_heard_of_is_not_found(make_bed, station_id):
    bed = make_bed(build)
    async with bed.running(), bed.client("viewer") as client:
        for path in ("charging", "charging-profiles", "evses/1/composite-schedule"):
            answer = await client.get(f"/stations/{station_id}/{path}")
            assert answer.status_code == 404, path


DIES = """
import asyncio, os, signal, sys
from chargebus_commanding import Commanding
from chargebus_runtime.outbox import Outbox
from chargebus_runtime.settings import RuntimeSettings
from chargebus_smart_charging.main import intents
from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.names import SERVICE
from chargebus_smart_charging.planning.operations.planning import Planning
from chargebus_smart_charging.planning.operations.solver import Solvers
from chargebus_smart_charging.steering.operations import Steering
from chargebus_testkit.bed import ProcessUnderTest

point, name, kafka, database_url = sys.argv[1:]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

match point:
    case "claimed":
        Planning._carry_out = die
    case "asked":
        Planning._keep = die
    case "committed":
        Outbox.send_soon = die

async def main():
    process = ProcessUnderTest(RuntimeSettings(kafka_bootstrap_servers=kafka, database_url=database_url), name)
    database, metrics = process.database(SERVICE, "chargebus_smart_charging"), Metrics()
    commanding = Commanding(SERVICE, database, intents(metrics), process.edges.kafka_clock)
    await database.start()
    while True:
        await Planning(database, Solvers(0, 1.0), Steering(commanding, metrics), metrics).sweep()
        await asyncio.sleep(0.2)

asyncio.run(main())
"""
"""Plans as a copy of the service, and is killed with a site claimed, with commands asked, or with that committed."""


@pytest.mark.parametrize(("point", "left"), [("claimed", 0), ("asked", 0), ("committed", 1)])
async def test_kill_9_of_who_plans_loses_and_doubles_nothing(make_bench, point, left):
    async with make_bench("2.0.1") as bench:
        servers = (bench.bed.settings.kafka_bootstrap_servers, str(bench.bed.settings.database_url))
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, point, bench.bed.name, *servers)
        assert await child.wait() == -signal.SIGKILL
        assert len(await bench.asked("order")) == left
        kept = await bench.bed.rows("SELECT (SELECT count(*) FROM site_plan), (SELECT count(*) FROM steered_evse)")
        assert kept == [(left, left)], "all that was decided, or nothing"

        metrics = Metrics()
        steering = Steering(bench.commanding, metrics)
        other = Planning(bench.process.service.database, Solvers(0, 1.0), steering, metrics)

        async def told():
            await other.sweep()
            sent = await bench.bed.read(COMMANDS, bench.station_id)
            return [json.loads(record.value)["intent"] for record in sent]

        found = await eventually(told, lambda intents: "order" in intents, what="the station is told its default")
        await bench.answers("order", {"status": "Accepted"})
        shown = await bench.shows(lambda shown: shown["evses"][0]["default"]["accepted"])
        assert (await told()).count("order") == found.count("order") == 1

    assert shown["evses"][0]["default"]["unsure"] == shown["evses"][0]["default"]["pending"] == []
