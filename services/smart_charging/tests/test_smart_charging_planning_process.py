"""Sites planned in the service's process: facts in from Kafka, commands out to stations, what people see over HTTP."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from chargebus_events.commands import CommandOutcome, CommandRequested
from chargebus_events.public import (
    CONNECTOR_STATUS,
    METER_READINGS,
    SESSION_ENDED,
    SESSION_STARTED,
    STATION_BOOTED,
    STATION_CONNECTION,
    ConnectorStatus,
    MeterReadings,
    Reading,
    Session,
    StationBooted,
    StationConnection,
    event,
)
from chargebus_events.topics import ALERT_EVENTS, CHARGING_PLANS, COMMANDS
from chargebus_runtime.kafka import received
from chargebus_smart_charging import metrics
from chargebus_smart_charging.main import build
from chargebus_testkit.waiting import eventually
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

_requested = msgspec.json.Decoder(CommandRequested).decode
_payloads = msgspec.json.Decoder(dict).decode
ANSWERS = {
    "GetConfiguration": {"configurationKey": [], "unknownKey": []},
    "GetCompositeSchedule": {"status": "Rejected"},
}


class Depot:
    """A site whose stations answer what they are asked, and draw what they may."""

    def __init__(self, bed, producer, client, count: int, phase_a: float, **policy) -> None:
        self.site_id = f"site-{uuid4().hex[:8]}"
        self.stations = [f"CS-{uuid4().hex[:8]}" for _ in range(count)]
        self.told: dict[str, list[CommandRequested]] = {name: [] for name in self.stations}
        self.obeys = True
        self.answers = dict(ANSWERS)
        self._bed = bed
        self._producer = producer
        self._client = client
        self._phase_a = phase_a
        self._policy = {"interval_s": 5, "grace_s": 2, "spacing_s": 0, "dead_band_a": 0.5} | policy
        self._number = 0

    async def describe(self, phase_a: float | None = None) -> None:
        site = {
            "name": "depot",
            "nodes": [{"node_id": "grid", "capacity": {"phase_a": phase_a or self._phase_a}}],
            "evses": [
                {
                    "station_id": name,
                    "evse_id": 1,
                    "node_id": "grid",
                    "voltage_v": 230,
                    "phases": [1, 2, 3],
                    "min_a": 6,
                    "max_a": 32,
                    "step_a": 1,
                }
                for name in self.stations
            ],
            "policy": self._policy,
        }
        answer = await self._client.put(f"/sites/{self.site_id}", json=site)
        assert answer.status_code in {200, 201}, answer.text

    async def come_online(self) -> None:
        for name in self.stations:
            now = datetime.now(UTC)
            await self._say(STATION_CONNECTION, StationConnection(name, now, connected=True, epoch=1, version="1.6"))
            await self._say(STATION_BOOTED, StationBooted(name, now, "accepted", "1.6", "ACME", self.site_id))
            await self._say(CONNECTOR_STATUS, ConnectorStatus(name, now, 1, 1, "Available"))

    async def plug_in(self, *places: int) -> None:
        for place in places:
            await self._session(place, SESSION_STARTED, "active")

    async def leave(self, place: int) -> None:
        await self._session(place, SESSION_ENDED, "ended")

    async def _session(self, place: int, kind: str, state: str) -> None:
        name, now = self.stations[place], datetime.now(UTC)
        begun = now if state == "active" else now - timedelta(seconds=1)
        body = Session(self.session_of(place), name, "7", "1.6", state, now, 1, 1, started_at=begun, meter_start_wh=0.0)
        await self._say(kind, body)

    def session_of(self, place: int) -> str:
        return f"{self.stations[place]}-session"

    async def draw(self, place: int, amperes: float) -> None:
        name, now = self.stations[place], datetime.now(UTC)
        self._number += 1
        told = tuple(
            Reading(f"{name}-{self._number}-{phase}", now, "Current.Import", amperes, "A", str(amperes), phase=phase)
            for phase in ("L1", "L2", "L3")
        )
        await self._say(METER_READINGS, MeterReadings(name, 1, now, told))

    async def _say(self, kind: str, body) -> None:
        self._number += 1
        event_id = f"{body.station_id}/{self._number}"
        await self._producer.publish([event(kind, event_id, "/test", datetime.now(UTC), body)])

    async def answer(self, consumer) -> None:
        """Answer every command for one of the stations; draw what a limit says."""
        while True:
            asked = _requested(received(await consumer.getone()).value)
            if asked.station_id not in self.told:
                continue
            self.told[asked.station_id].append(asked)
            form = asked.forms[0]
            payload = msgspec.json.encode(self.answers.get(form.action, {"status": "Accepted"}))
            now = datetime.now(UTC)
            outcome = CommandOutcome(
                asked.command_id, asked.station_id, asked.requester, "answered", asked.requested_at, now,
                asked.intent, asked.subject, form.action, "1.6", msgspec.Raw(payload),
            )  # fmt: skip
            await self._producer.publish([outcome.record()])
            limit_a = self.limit_of(asked)
            if limit_a is not None and self.obeys:
                await self.draw(self.stations.index(asked.station_id), limit_a)

    @staticmethod
    def limit_of(asked: CommandRequested) -> float | None:
        """Return the amperes of a TxProfile."""
        if asked.forms[0].action != "SetChargingProfile":
            return None
        profile = _payloads(asked.forms[0].payload)["csChargingProfiles"]
        if profile["chargingProfilePurpose"] != "TxProfile":
            return None
        return profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]

    def limits(self) -> list[float | None]:
        """Return the last limit that each station was told for its transaction."""
        found = [[limit for each in told if (limit := self.limit_of(each)) is not None] for told in self.told.values()]
        return [each[-1] if each else None for each in found]

    async def limits_now(self) -> list[float | None]:
        return self.limits()

    async def until_told(self, expected: list[float | None], *, within_s: float = 40) -> None:
        await eventually(self.limits_now, lambda seen: seen == expected, within_s, what=f"stations are told {expected}")

    async def state(self) -> dict:
        return (await self._client.get(f"/sites/{self.site_id}/state")).json()


@asynccontextmanager
async def depot_of(make_bed, kafka, count: int = 2, phase_a: float = 32.0, **policy):
    bed = make_bed(build)
    consumer = AIOKafkaConsumer(
        COMMANDS, bootstrap_servers=kafka.bootstrap_servers, group_id=uuid4().hex, auto_offset_reset="latest"
    )
    async with bed.running() as process, bed.client("operator") as client:
        await consumer.start()
        depot = Depot(bed, process.producer, client, count, phase_a, **policy)
        answering = asyncio.create_task(depot.answer(consumer))
        try:
            yield depot, client, bed
        finally:
            answering.cancel()
            await consumer.stop()


@pytest.mark.road
async def test_a_site_shares_its_connection_and_a_smaller_limit_is_told_and_shown(make_bed, kafka):
    async with depot_of(make_bed, kafka) as (depot, client, bed):
        await depot.describe()
        await depot.come_online()
        await depot.plug_in(0, 1)
        await depot.until_told([16.0, 16.0])
        shared = await eventually(
            depot.state,
            lambda state: (
                [each["limit_a"] for each in state["evses"]] == [16.0, 16.0]
                and state["nodes"][0]["measured_a"] == [32.0] * 3
            ),
            what="the state shows what is shared",
        )
        await client.put(f"/sites/{depot.site_id}/limits/ems/1", json={"periods": [{"phase_a": 14}]})
        lowered = await eventually(
            depot.state,
            lambda state: sum(depot.limits()) <= 14.0 and 6.0 <= max(state["nodes"][0]["measured_a"]) <= 14.0,
            what="less is told, and the state shows that less is drawn",
        )
        listed = (await client.get(f"/sites/{depot.site_id}/plans")).json()["items"]
        told = await bed.read(CHARGING_PLANS, depot.site_id)

    assert shared["nodes"][0]["limit_a"] == [32.0] * 3
    assert lowered["nodes"][0]["limit_a"] == [14.0] * 3
    assert min(lowered["nodes"][0]["headroom_a"]) >= 0.0
    assert "ems" in lowered["nodes"][0]["reason"]
    assert sum(each["limit_a"] for each in lowered["evses"]) <= 14.0
    assert sum(each["limit_a"] for each in listed[0]["evses"]) <= 14.0
    assert [each["plan_id"] for each in listed] == sorted((each["plan_id"] for each in listed), reverse=True)
    assert [msgspec.json.decode(each.value)["plan_id"] for each in told][-1] == listed[0]["plan_id"]


@pytest.fixture
def counted(monkeypatch):
    """Return what a counter of the service has by its attributes; to be asked for before the service."""
    reader = InMemoryMetricReader()
    monkeypatch.setattr(metrics, "get_meter", MeterProvider([reader]).get_meter)

    def read(name):
        scopes = [scope for of in reader.get_metrics_data().resource_metrics for scope in of.scope_metrics]
        return {
            tuple(point.attributes.values()): point.value
            for scope in scopes
            for metric in scope.metrics
            if metric.name == f"chargebus.smart_charging.{name}"
            for point in metric.data.data_points
        }

    return read


async def test_a_station_that_takes_no_profile_is_limited_by_its_vendors_key_where_that_is_named(
    make_bed, kafka, monkeypatch, counted
):
    key = "Station-MaxCurrent"
    monkeypatch.setenv("SMART_CHARGING_LIMIT_KEYS", f'["Other-Key", "{key}"]')
    async with depot_of(make_bed, kafka, count=1, phase_a=20.0) as (depot, client, _):
        depot.answers["SetChargingProfile"] = {"status": "NotSupported"}
        entry = {"key": key, "readonly": False, "value": "32"}
        depot.answers["GetConfiguration"] = {"configurationKey": [entry], "unknownKey": ["Other-Key"]}
        await depot.describe()
        await depot.come_online()
        await depot.plug_in(0)
        [name] = depot.stations

        async def told(action):
            return [_payloads(each.forms[0].payload) for each in depot.told[name] if each.forms[0].action == action]

        changed = await eventually(lambda: told("ChangeConfiguration"), what="its vendor's key is changed")
        asked = (await told("GetConfiguration"))[-1]
        shown = (await client.get(f"/stations/{name}/charging")).json()

        async def orders():
            return counted("orders")

        came = await eventually(
            orders, lambda found: ("limit", "configuration key", "accepted") in found, what="its answer is counted"
        )

    assert came["limit", "TxProfile", "unsupported"] == 1
    assert counted("falls") == {
        (way, "refused"): 1 for way in ("TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile")
    }
    assert {"Other-Key", key} <= set(asked["key"])
    assert changed[0] == {"key": key, "value": "20"}
    assert (shown["limit_key"], shown["evses"][0]["way"]) == (key, "configuration key")


async def test_more_may_look_at_a_site_at_once_than_there_are_connections(make_bed, kafka):
    async with depot_of(make_bed, kafka) as (depot, client, _):
        await depot.describe()
        looks = [client.get(f"/sites/{depot.site_id}/state") for _ in range(20)]
        async with asyncio.timeout(180):
            answers = await asyncio.gather(*looks)

    assert {answer.status_code for answer in answers} == {200}


async def test_needs_overrides_and_what_if_of_a_site(make_bed, kafka):
    async with depot_of(make_bed, kafka, count=3) as (depot, client, _):
        await depot.describe()
        await depot.come_online()
        await depot.plug_in(0, 1)
        await depot.until_told([16.0, 16.0, None])
        before = depot.limits()
        path = f"/sessions/{depot.session_of(0)}/charging"
        leaves = (datetime.now(UTC) + timedelta(hours=2)).isoformat()

        supposed = await client.post(
            f"/sites/{depot.site_id}/what-if",
            json={"limits": [{"node_id": "grid", "phase_a": 24}], "vehicles": [{"station_id": depot.stations[2]}]},
        )
        unfit = await client.post(
            f"/sites/{depot.site_id}/what-if",
            json={"limits": [{"node_id": "x"}], "vehicles": [{"station_id": depot.stations[0]}]},
        )
        unchanged = depot.limits()
        soon = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
        needs = await client.put(path, json={"energy_wh": 20000, "departs_at": soon, "priority": 3})
        await eventually(depot.limits_now, lambda told: told[0] > 16.0, what="who leaves soon is given more")
        past = await client.put(path, json={"departs_at": "2020-01-01T00:00:00Z"})
        shown = await client.get(path)
        override = {"limit_a": 8, "ends_at": leaves, "station_id": depot.stations[0], "evse_id": 1, "reason": "hot"}
        put = await client.put(f"/sites/{depot.site_id}/overrides/o1", json=override)
        wrong = await client.put(f"/sites/{depot.site_id}/overrides/o2", json=override | {"evse_id": 2})
        over = await client.put(
            f"/sites/{depot.site_id}/overrides/o2", json=override | {"ends_at": "2020-01-01T00:00:00Z"}
        )
        await depot.until_told([8.0, 24.0, None])
        listed = (await client.get(f"/sites/{depot.site_id}/overrides")).json()["items"]
        removed = await client.delete(f"/sites/{depot.site_id}/overrides/o1")
        gone = await client.delete(f"/sites/{depot.site_id}/overrides/o1")
        unknown = await client.get("/sessions/nobody/charging")

    assert [each["planned_a"] for each in supposed.json()["evses"]] == [8.0, 8.0, 8.0]
    assert supposed.json()["nodes"][0]["limit_a"] == [24.0] * 3
    assert unchanged == before
    assert [each["field"] for each in unfit.json()["errors"]] == ["body.limits.0.node_id", "body.vehicles.0"]
    assert needs.json()["needs"] == shown.json()["needs"]
    assert (needs.json()["needs"]["energy_source"], needs.json()["needs"]["priority"]) == ("api", 3.0)
    assert shown.json()["charging"]["station_id"] == depot.stations[0]
    assert [each.status_code for each in (put, wrong, over, past, removed, gone, unknown)] == [
        200, 422, 422, 422, 204, 404, 404,
    ]  # fmt: skip
    assert [each["reason"] for each in listed] == ["hot"]


async def test_a_station_that_does_not_obey_is_contained_and_told_of(make_bed, kafka):
    async with depot_of(make_bed, kafka) as (depot, _, bed):
        await depot.describe()
        await depot.come_online()
        await depot.plug_in(0, 1)
        await depot.until_told([16.0, 16.0])
        depot.obeys = False

        async def disobeyed():
            await depot.draw(0, 24.0)
            await depot.draw(1, min(depot.limits()[1], 16.0))
            return depot.limits()[1]

        await eventually(disobeyed, lambda limit: limit <= 8.0, 40, what="the other one is lowered")
        alerts = await bed.read(ALERT_EVENTS, depot.stations[0])

    assert msgspec.json.decode(alerts[0].value)["rule"] == "limit_disobeyed"
    assert msgspec.json.decode(alerts[0].value)["state"] == "open"


async def test_two_copies_plan_a_site_one_after_the_other_and_either_goes_on_alone(make_bed, kafka):
    async with depot_of(make_bed, kafka) as (depot, _, bed):
        async with bed.running(http_port=0):
            await depot.describe()
            await depot.come_online()
            await depot.plug_in(0, 1)
            await depot.until_told([16.0, 16.0])
            await depot.leave(1)
            await depot.until_told([32.0, 16.0])
        await depot.plug_in(1)
        await depot.until_told([16.0, 16.0])
        turns = await bed.rows("SELECT turn FROM site_plan WHERE site_id = $1", depot.site_id)
        told = [each for each in depot.told[depot.stations[0]] if each.intent in {"order", "verify"}]
        numbers = [msgspec.json.decode(each.subject)["number"] for each in told]

    assert turns[0][0] >= 3  # each time that stations were told otherwise
    assert len(numbers) == len(set(numbers)) or sorted(numbers) == numbers


async def test_a_new_process_goes_on_from_what_stations_hold(make_bed, kafka):
    bed = make_bed(build)
    consumer = AIOKafkaConsumer(
        COMMANDS, bootstrap_servers=kafka.bootstrap_servers, group_id=uuid4().hex, auto_offset_reset="latest"
    )
    await consumer.start()
    async with bed.running() as process, bed.client("operator") as client:
        depot = Depot(bed, process.producer, client, 2, 32.0)
        answering = asyncio.create_task(depot.answer(consumer))
        await depot.describe()
        await depot.come_online()
        await depot.plug_in(0, 1)
        await depot.until_told([16.0, 16.0])
        answering.cancel()
    before = {name: len(told) for name, told in depot.told.items()}
    async with bed.running() as process, bed.client("operator") as client:
        depot._producer, depot._client = process.producer, client
        answering = asyncio.create_task(depot.answer(consumer))
        await depot.describe(phase_a=20.0)
        await depot.until_told([10.0, 10.0])
        answering.cancel()
    await consumer.stop()

    raises = [
        limit
        for name, told in depot.told.items()
        for each in told[before[name] :]
        if (limit := depot.limit_of(each)) is not None and limit > 16.0
    ]
    assert raises == []
