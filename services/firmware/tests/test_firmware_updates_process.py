"""Updates in the service's process: asked for over HTTP, told by frames and boots, followed by time, killed."""

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import msgspec
import pytest
from chargebus_commanding import Commanding
from chargebus_events.commands import CommandOutcome
from chargebus_events.frames import Frame
from chargebus_events.record import Received, Record
from chargebus_events.topics import COMMANDS, FIRMWARE_EVENTS, frames_topic
from chargebus_firmware.images.operations.images import Images
from chargebus_firmware.links.operations.links import Links
from chargebus_firmware.main import asking, build, intents, update_keeping
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.names import SERVICE
from chargebus_firmware.settings import FirmwareSettings
from chargebus_firmware.updates import store
from chargebus_firmware.updates.domain.update import Firmware, Wanted
from chargebus_firmware.updates.operations import OurImages, Updates
from chargebus_ocppj.schemas import validate_call
from chargebus_runtime.batch import Batch
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.telemetry import Trace
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.timeout(600)

HOLD = "SELECT 1 FROM station WHERE station_id = $1 FOR UPDATE"
URL = "https://files.example.com/two.bin"


def received(record: Record) -> Received:
    return Received(record.topic, 0, 0, record.key, record.value, dict(record.headers))


def elsewhere(database) -> OurImages:
    """Return the images of a copy of the service that only sends stations to what lies elsewhere."""
    return OurImages(Images(database), Links(database, lambda: datetime.now(UTC), lambda: ""), Sealing())


class Bench:
    """A station in a running service, what it is asked, and what it says."""

    def __init__(self, service, events, station_id: str, version: str) -> None:
        self.bed, self.process, self.client = service
        self.events, self.station_id, self.version = events, station_id, version
        self._numbers = count(1)

    async def is_there(self, *, online: bool = True, firmware: str = "1.0.0") -> None:
        await self.bed.publish(
            self.events.connected(self.station_id, 7, self.version, online=online),
            self.events.booted(self.station_id, firmware, self.version),
        )
        await eventually(
            lambda: self.client.get(f"/firmware/stations/{self.station_id}"),
            lambda answer: (
                answer.status_code == 200
                and answer.json()["online"] == online
                and answer.json()["firmware_version"] == firmware
            ),
            what="the station is known",
        )

    async def begins(self, status: int = 201, key: str | None = None, **more):
        headers = {} if key is None else {"Idempotency-Key": key}
        wanted = {"station_id": self.station_id, "url": URL, "version": "2.0.0"} | more
        answer = await self.client.post("/firmware/updates", json=wanted, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def shows(self, update, **expected):
        return (
            await eventually(
                lambda: self.client.get(f"/firmware/updates/{update['update_id']}"),
                lambda answer: expected.items() <= answer.json().items(),
                what=f"it is {expected}",
            )
        ).json()

    async def asked(self, intent: str = "update") -> list[dict]:
        """All commands of an intent that went out to the station."""
        sent = [json.loads(record.value) for record in await self.bed.read(COMMANDS, self.station_id)]
        return [each for each in sent if each["intent"] == intent]

    async def is_asked(self, times: int = 1, intent: str = "update") -> list[dict]:
        return await eventually(
            lambda: self.asked(intent), lambda sent: len(sent) == times, what=f"it is asked {times} times: {intent}"
        )

    def answer(self, command: dict, payload: dict | None, outcome: str = "answered", error: str = ""):
        now = datetime.now(UTC)
        raw = None if payload is None else msgspec.Raw(json.dumps(payload).encode())
        form = next(form for form in command["forms"] if self.version in form["versions"])
        return CommandOutcome(
            command["command_id"],
            self.station_id,
            SERVICE,
            outcome,
            now,
            now,
            command["intent"],
            command["subject"],
            form["action"],
            self.version,
            raw,
            error,
        ).record()

    def frame(self, action: str, payload: dict):
        number = next(self._numbers)
        body = json.dumps(payload).encode()
        validate_call(self.version, action, body)
        at = datetime.now(UTC)
        frame = Frame(self.station_id, self.version, action, f"m{number}", 0, 7, number, body, at)
        return frame.record(frames_topic("firmware"))

    async def says(self, *statuses: str, **more) -> None:
        for status in statuses:
            await self.bed.publish(self.frame("FirmwareStatusNotification", {"status": status} | more))

    async def boots(self, firmware: str) -> None:
        await self.bed.publish(self.events.booted(self.station_id, firmware, self.version))

    async def told(self) -> list[dict]:
        return [json.loads(record.value) for record in await self.bed.read(FIRMWARE_EVENTS, self.station_id)]


class Events:
    def __init__(self, booted, connected) -> None:
        self.booted, self.connected = booted, connected


@pytest.fixture
def make_bench(make_bed, station_id, booted, connected):
    @asynccontextmanager
    async def make(version: str = "1.6"):
        bed = make_bed(build)
        async with bed.running() as process, bed.client() as client:
            yield Bench((bed, process, client), Events(booted, connected), station_id, version)

    return make


@pytest.mark.parametrize("version", ["1.6", "2.1"])
async def test_an_update_is_asked_for_followed_and_judged_by_the_boot(make_bench, version):
    async with make_bench(version) as bench:
        await bench.is_there()
        begun = await bench.begins(retries=3, retry_interval_s=60)
        (command,) = await bench.is_asked()
        await bench.bed.publish(bench.answer(command, {} if version == "1.6" else {"status": "Accepted"}))
        await bench.shows(begun, state="accepted")
        number = {} if version == "1.6" else {"requestId": begun["request_id"]}
        await bench.says("Downloading", "Downloaded", "Installing", "Installed", **number)
        await bench.shows(begun, state="installed")
        await bench.boots("2.0.0")
        ended = await bench.shows(begun, state="succeeded")
        told = await eventually(bench.told, lambda told: told[-1]["state"] == "succeeded", what="its end is told")

    forms = {form_version: form for form in command["forms"] for form_version in form["versions"]}
    assert {key: form["action"] for key, form in forms.items()} == dict.fromkeys(
        ("1.6", "2.0.1", "2.1"), "UpdateFirmware"
    )
    for each, form in forms.items():
        validate_call(each, form["action"], json.dumps(form["payload"]).encode())
    assert forms["1.6"]["payload"]["location"] == forms["2.1"]["payload"]["firmware"]["location"] == URL
    assert forms["1.6"]["payload"]["retries"] == forms["2.1"]["payload"]["retries"] == 3
    assert forms["2.1"]["payload"]["requestId"] == begun["request_id"]
    assert (begun["state"], ended["before"], ended["reason"]) == ("requested", "1.0.0", None)
    said = [step["what"] for step in ended["history"]]
    assert said[0] == "asked"
    assert said[-5:] == ["Downloading", "Downloaded", "Installing", "Installed", "booted 2.0.0"]
    states = [each["state"] for each in told]
    assert states == ["requested", "accepted", "downloading", "downloaded", "installing", "installed", "succeeded"]


async def test_a_status_of_another_update_changes_nothing(make_bench):
    async with make_bench("2.1") as bench:
        await bench.is_there()
        begun = await bench.begins()
        await bench.says("InstallationFailed", requestId=begun["request_id"] + 1)
        await bench.says("Downloading", requestId=begun["request_id"])
        shown = await bench.shows(begun, state="downloading")

    assert [step["what"] for step in shown["history"]] == ["asked", "Downloading"]


async def test_a_station_that_is_away_is_asked_once_it_comes(make_bench):
    async with make_bench() as bench:
        await bench.is_there(online=False)
        begun = await bench.begins()
        assert begun["state"] == "waiting"
        await bench.is_there()
        await bench.is_asked()
        await bench.shows(begun, state="requested")


async def test_a_station_that_comes_while_its_update_is_put_off_is_asked_all_the_same(make_bench, monkeypatch):
    monkeypatch.setenv("FIRMWARE_UPDATES_SWEEP_S", "3600")
    async with make_bench() as bench:
        await bench.is_there(online=False)
        await bench.begins()
        await bench.bed.rows("UPDATE firmware_update SET look_at = now() - interval '1 minute'")
        pool, now = bench.process.service.database.pool, datetime.now(UTC)
        async with pool.acquire() as sweep, pool.acquire() as batch:
            pid = batch.get_server_pid()
            async with sweep.transaction():
                await sweep.execute("UPDATE firmware_update SET look_at = now() + interval '1 day'")
                waking = asyncio.create_task(store.wake(batch, [bench.station_id], now))
                await eventually(
                    lambda: bench.bed.rows("SELECT cardinality(pg_blocking_pids($1))", pid),
                    lambda rows: waking.done() or rows != [(0,)],
                    what="the batch waits for the sweep, or has gone on",
                )
            await waking
        ((due,),) = await bench.bed.rows("SELECT look_at <= $1 FROM firmware_update", now)

    assert due


async def test_a_station_that_could_not_be_reached_is_asked_again_and_no_other_is(make_bench):
    async with make_bench() as bench:
        await bench.is_there()
        begun = await bench.begins()
        (command,) = await bench.is_asked()
        await bench.bed.publish(bench.answer(command, None, "undeliverable"))
        await bench.shows(begun, state="waiting")
        await bench.bed.publish(bench.events.connected(bench.station_id, 9))
        await bench.is_asked(2)
        await bench.shows(begun, state="requested")


async def test_what_cannot_be_asked_is_refused_in_clear_words(make_bench):
    async with make_bench() as bench:
        unknown = await bench.begins(404)
        await bench.is_there()
        no_image = await bench.begins(404, image_id="none", url=None, version=None)
        scheme = await bench.begins(422, url="file:///etc/passwd")
        both = await bench.begins(422, image_id="none")
        now = datetime.now(UTC)
        never = await bench.begins(422, retrieve_at="9999-12-31T23:00:00Z")
        backwards = await bench.begins(
            422, retrieve_at=now.isoformat(), install_at=(now - timedelta(hours=1)).isoformat()
        )
        begun = await bench.begins(key="k")
        assert (await bench.begins(200, key="k"))["update_id"] == begun["update_id"]
        reused = await bench.begins(422, key="k", version="3.0.0")
        busy = await bench.begins(409)
        shown = (await bench.client.get(f"/firmware/stations/{bench.station_id}")).json()
        await bench.is_asked()

    assert "Register it" in unknown["detail"]
    assert "no image 'none'" in no_image["detail"]
    assert "not from 'file'" in scheme["errors"][0]["error"]
    assert "one of both" in both["errors"][0]["error"]
    assert "366 days" in never["detail"]
    assert "before retrieve_at" in backwards["errors"][0]["error"]
    assert "Idempotency-Key" in reused["detail"]
    assert begun["update_id"] in busy["detail"]
    assert shown["open_update"] == begun["update_id"]


async def test_a_station_that_is_away_or_charges_gets_no_update_of_a_campaign(make_bench, session):
    async with make_bench() as bench:
        database, settings = bench.process.service.database, FirmwareSettings()
        keeping = update_keeping(Metrics(), settings.updates)
        commanding = Commanding(SERVICE, database, intents(keeping, settings), bench.process.edges.kafka_clock)
        updates = Updates(database, commanding, keeping, elsewhere(database), asking(settings.updates))
        wanted = Wanted(bench.station_id, campaign_id=str(uuid4()), firmware=Firmware("2.0.0", URL))
        await bench.is_there(online=False)
        async with database.transaction() as tx:
            away = await updates.start(tx, [wanted])
        await bench.bed.publish(session(bench.station_id), bench.events.connected(bench.station_id, 8))
        await eventually(
            lambda: bench.bed.rows("SELECT open_sessions FROM station WHERE online"),
            lambda rows: rows == [(1,)],
            what="it is there, and charges",
        )
        async with database.transaction() as tx:
            charging = await updates.start(tx, [wanted])

    assert away.updates == charging.updates == {}
    assert [each.refused[bench.station_id][0] for each in (away, charging)] == ["offline", "charging"]


async def test_a_batch_holds_all_its_stations_before_anything_else_in_the_order_of_their_ids(make_bench):
    async with make_bench() as bench:
        first, second = bench.station_id, f"{bench.station_id}-b"
        bench.station_id = second
        await bench.is_there()
        begun = await bench.begins()
        status = bench.frame("FirmwareStatusNotification", {"status": "Downloading"})
        bench.station_id = first
        await bench.is_there()
        records = [received(status), received(bench.events.booted(first, "1.0.0"))]
        database, handle = bench.process.service.database, bench.process.service.consumer.handle
        async with database.pool.acquire() as held, database.pool.acquire() as own, database.pool.acquire() as another:
            pid = await own.fetchval("SELECT pg_backend_pid()")
            holding = held.transaction()
            await holding.start()
            await held.execute(HOLD, first)

            async def apply() -> None:
                async with own.transaction():
                    await handle(Batch(records, own, datetime.now(UTC), Trace()))

            applying = asyncio.create_task(apply())
            await eventually(
                lambda: another.fetchval("SELECT pg_blocking_pids($1)", pid), what="it waits for the first"
            )
            async with another.transaction():
                await another.execute(f"{HOLD} NOWAIT", second)
                await another.execute(f"{HOLD.replace('FROM station', 'FROM firmware_update')} NOWAIT", second)
            await holding.rollback()
            await applying
        await bench.shows(begun, state="downloading")


async def test_who_asks_under_one_key_at_the_same_time_gets_one_update(make_bench):
    async with make_bench() as bench:
        await bench.is_there(online=False)
        wanted = {"station_id": bench.station_id, "url": URL, "version": "2.0.0"}
        key = {"Idempotency-Key": "same"}
        answers = await asyncio.gather(
            *(bench.client.post("/firmware/updates", json=wanted, headers=key) for _ in range(8))
        )

    assert sorted(answer.status_code for answer in answers) == [*[200] * 7, 201]
    assert len({answer.json()["update_id"] for answer in answers}) == 1


async def test_only_what_has_not_begun_can_be_cancelled(make_bench):
    async with make_bench() as bench:
        await bench.is_there(online=False)
        waiting = await bench.begins()
        cancelled = await bench.client.post(f"/firmware/updates/{waiting['update_id']}/cancel")
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
        await bench.is_there()
        begun = await bench.begins()
        late = await bench.client.post(f"/firmware/updates/{begun['update_id']}/cancel")
        over = await bench.client.post(f"/firmware/updates/{waiting['update_id']}/cancel")
        asked = await bench.is_asked()
        listed = (await bench.client.get("/firmware/updates", params={"station_id": bench.station_id})).json()["items"]
        only = (await bench.client.get("/firmware/updates", params={"state": "cancelled"})).json()["items"]
        first = (await bench.client.get("/firmware/updates", params={"limit": 1})).json()
        second = (await bench.client.get("/firmware/updates", params={"limit": 1, "cursor": first["next"]})).json()

    assert late.status_code == over.status_code == 409
    assert "asked already" in late.json()["detail"]
    assert "It is over" in over.json()["detail"]
    assert [command["subject"] for command in asked] == [begun["update_id"]]
    assert [each["update_id"] for each in listed] == [begun["update_id"], waiting["update_id"]]
    assert [each["update_id"] for each in only] == [waiting["update_id"]]
    assert [first["items"][0]["update_id"], second["items"][0]["update_id"]] == [
        begun["update_id"],
        waiting["update_id"],
    ]


async def test_a_station_that_does_not_boot_is_asked_for_its_version_and_given_up(make_bench, monkeypatch):
    monkeypatch.setenv("FIRMWARE_UPDATES_BOOT_S", "6")
    monkeypatch.setenv("FIRMWARE_UPDATES_SWEEP_S", "0.1")
    async with make_bench() as bench:
        await bench.is_there()
        begun = await bench.begins()
        await bench.says("Installing", "Installed")
        (probe,) = await bench.is_asked(intent="probe")
        ended = await bench.shows(begun, state="failed")

    assert {form["payload"]["requestedMessage"] for form in probe["forms"]} == {"BootNotification"}
    assert ended["reason"] == "unconfirmed"


DIES = """
import asyncio, os, signal, sys
from chargebus_commanding import Commanding
from chargebus_runtime.outbox import Outbox
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.settings import RuntimeSettings
from chargebus_firmware.images.operations.images import Images
from chargebus_firmware.links.operations.links import Links
from chargebus_firmware.main import asking, intents, update_keeping
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.names import SERVICE
from chargebus_firmware.settings import FirmwareSettings
from chargebus_firmware.updates.block import Keeping
from chargebus_firmware.updates.operations import OurImages, Updates
from chargebus_testkit.bed import ProcessUnderTest

point, name, kafka, database_url = sys.argv[1:]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

match point:
    case "taken":
        Updates._ask = die
    case "asked":
        Keeping.keep = die
    case "committed":
        Outbox.send_soon = die

def elsewhere(database):
    return OurImages(Images(database), Links(database, lambda: None, lambda: ""), Sealing())

async def main():
    process = ProcessUnderTest(RuntimeSettings(kafka_bootstrap_servers=kafka, database_url=database_url), name)
    database, settings = process.database(SERVICE, "chargebus_firmware"), FirmwareSettings()
    keeping = update_keeping(Metrics(), settings.updates)
    commanding = Commanding(SERVICE, database, intents(keeping, settings), process.edges.kafka_clock)
    await database.start()
    updates = Updates(database, commanding, keeping, elsewhere(database), asking(settings.updates))
    while True:
        await updates.sweep()
        await asyncio.sleep(0.2)

asyncio.run(main())
"""
"""Follows updates as a copy of the service, and is killed with one taken, with its station asked, or with that kept."""


@pytest.mark.parametrize(("point", "left"), [("taken", 0), ("asked", 0), ("committed", 1)])
async def test_kill_9_between_ask_and_answer_asks_no_station_twice(make_bench, monkeypatch, point, left):
    monkeypatch.setenv("FIRMWARE_UPDATES_SWEEP_S", "3600")
    async with make_bench() as bench:
        await bench.is_there(online=False)
        begun = await bench.begins()
        await bench.is_there()
        servers = (bench.bed.settings.kafka_bootstrap_servers, str(bench.bed.settings.database_url))
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, point, bench.bed.name, *servers)
        assert await child.wait() == -signal.SIGKILL
        assert (await bench.bed.rows("SELECT count(*) FROM asked_command")) == [(left,)]
        await bench.shows(begun, state="requested" if left else "waiting")

        database, settings = bench.process.service.database, FirmwareSettings()
        keeping = update_keeping(Metrics(), settings.updates)
        commanding = Commanding(SERVICE, database, intents(keeping, settings), bench.process.edges.kafka_clock)
        other = Updates(database, commanding, keeping, elsewhere(database), asking(settings.updates))

        async def sent():
            await other.sweep()
            return await bench.asked()

        (command,) = await eventually(sent, what="the station is asked")
        answer, downloading = (
            bench.answer(command, {}),
            bench.frame("FirmwareStatusNotification", {"status": "Downloading"}),
        )
        await bench.bed.publish(answer, downloading, answer, downloading)
        await bench.shows(begun, state="downloading")
        assert len(await sent()) == 1
        assert (await bench.begins(409))["title"] == "the station is busy"
