"""Campaigns in the service's process: asked for over HTTP, carried out by time, killed, by two copies at once."""

import asyncio
import json
import signal
import sys
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from chargebus_commanding import Commanding
from chargebus_events.frames import Frame
from chargebus_events.public import STATION_DESCRIBED, StationDescribed, event
from chargebus_events.topics import COMMANDS, FIRMWARE_EVENTS, frames_topic
from chargebus_firmware.campaigns import tasks
from chargebus_firmware.campaigns.operations import Campaigns
from chargebus_firmware.campaigns.store import members
from chargebus_firmware.main import asking, build, intents, update_keeping
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.names import SERVICE
from chargebus_firmware.settings import FirmwareSettings
from chargebus_firmware.updates.domain.update import Firmware
from chargebus_firmware.updates.operations import Updates
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.timeout(600)

IMAGE_ID = "019f3c0de5a1b2c3d4e5f60718293a4b"
QUICK = {"pause_s": 0.0, "settle_s": 1.0, "charge_within_s": 0.0}


class Images:
    """One image, for what Acme makes."""

    async def firmware(self, _connection, image_ids):
        image = Firmware("2.0.0", "https://files.example.com/two.bin", IMAGE_ID)
        return {image_id: image for image_id in image_ids if image_id == IMAGE_ID}

    async def misfits(self, _connection, _image_id, wanted):
        return {each.station_id: "It is for Acme only." for each in wanted if each.make.vendor != "Acme"}

    async def locate(self, _tx, updates):
        return {update.update_id: update.firmware.url for update in updates}

    def why_not(self, _over):
        return ""

    def choose(self, _station):
        return "http"


class Bench:
    """A few stations at a site of their own, and a running service."""

    def __init__(self, bed, process, client, events) -> None:
        self.bed, self.process, self.client = bed, process, client
        self.booted, self.connected = events
        self.site = f"site-{uuid4().hex[:8]}"
        self.stations: list[str] = []

    async def has(self, count: int) -> None:
        """Let the service know so many stations, connected and with the old version."""
        self.stations = [f"CS-{self.site}-{number}" for number in range(count)]
        now = datetime.now(UTC)
        for number, name in enumerate(self.stations):
            labels = {"fleet": self.site, "site": f"{self.site}-{number // 2}"}
            described = event(
                STATION_DESCRIBED, f"{name}/d", "/device", now, StationDescribed(name, now, labels=labels)
            )
            await self.bed.publish(described, self.connected(name, 7), self.booted(name, "1.0.0"))
        await self.known("online AND firmware_version = '1.0.0' AND labels::text LIKE '%fleet%'", count)

    async def known(self, condition: str, count: int) -> None:
        await eventually(
            lambda: self.bed.rows(
                f"SELECT count(*) FROM station WHERE station_id LIKE $1 AND {condition}", f"CS-{self.site}-%"
            ),
            lambda rows: rows == [(count,)],
            what=f"{count} stations are known",
        )

    def wanted(self, **rules):
        return {
            "name": "spring",
            "image_id": IMAGE_ID,
            "selector": {"labels": {"fleet": self.site}},
            "rules": QUICK | rules,
        }

    async def begins(self, status: int = 201, headers: dict[str, str] | None = None, **rules):
        answer = await self.client.post("/firmware/campaigns", json=self.wanted(**rules), headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()["campaign_id"]

    async def shows(self, campaign_id: str, **expected):
        return (
            await eventually(
                lambda: self.client.get(f"/firmware/campaigns/{campaign_id}"),
                lambda answer: expected.items() <= answer.json().items(),
                what=f"the campaign is {expected}",
            )
        ).json()

    async def members(self, campaign_id: str, **filters):
        answer = await self.client.get(f"/firmware/campaigns/{campaign_id}/stations", params={"limit": 500} | filters)
        return {each["station_id"]: each for each in answer.json()["items"]}

    async def asked(self) -> Counter[str]:
        """How often each station was asked to update."""
        rows = await self.bed.rows("SELECT station_id, count(*) FROM asked_command WHERE intent = 'update' GROUP BY 1")
        return Counter({str(name): int(str(count)) for name, count in rows})

    def frame(self, station_id: str, status: str):
        now = datetime.now(UTC)
        body = json.dumps({"status": status}).encode()
        frame = Frame(station_id, "1.6", "FirmwareStatusNotification", "m1", 0, 7, 1, body, now)
        return frame.record(frames_topic(SERVICE))

    async def sent(self, stations: list[str]) -> Counter[str]:
        """How often a command to update went out to each station."""
        records = await self.bed.read(COMMANDS, *stations)
        return Counter(record.key for record in records if json.loads(record.value)["intent"] == "update")

    @asynccontextmanager
    async def playing(self, version: str = "2.0.0"):
        """Let each station that is asked boot with a version, once."""

        async def play() -> None:
            done: set[str] = set()
            while True:
                for name in (await self.asked()).keys() - done:
                    done.add(name)
                    await self.bed.publish(self.booted(name, version))
                await asyncio.sleep(0.1)

        playing = asyncio.create_task(play())
        try:
            yield
        finally:
            playing.cancel()


@pytest.fixture
def make_bench(make_bed, booted, connected, monkeypatch):
    updates, campaigns = Updates.__init__, Campaigns.__init__

    def with_image(self, database, commanding, keeping, _sources, asking) -> None:
        updates(self, database, commanding, keeping, Images(), asking)

    def of_image(self, database, _images, updates, metrics, keep) -> None:
        campaigns(self, database, Images(), updates, metrics, keep)

    monkeypatch.setattr(Updates, "__init__", with_image)
    monkeypatch.setattr(Campaigns, "__init__", of_image)

    @asynccontextmanager
    async def make():
        bed = make_bed(build)
        async with bed.running() as process, bed.client() as client:
            yield Bench(bed, process, client, (booted, connected))

    return make


async def test_a_campaign_goes_through_its_waves_and_is_completed(make_bench):
    async with make_bench() as bench:
        await bench.has(6)
        key = {"Idempotency-Key": bench.site}
        preview = (await bench.client.post("/firmware/campaign-preview", json=bench.wanted())).json()
        pages, cursor = [], None
        while cursor is not None or not pages:
            paging = {"limit": 4} | ({} if cursor is None else {"cursor": cursor})
            page = await bench.client.post("/firmware/campaign-preview", json=bench.wanted(), params=paging)
            pages.append([each["station_id"] for each in page.json()["stations"] + page.json()["not_fitting"]])
            cursor = page.json()["next"]
        async with bench.playing():
            campaign_id = await bench.begins(waves=[{"count": 1}, {"count": 2}], headers=key)
            once = await bench.begins(200, waves=[{"count": 1}, {"count": 2}], headers=key)
            other = await bench.client.post("/firmware/campaigns", json=bench.wanted(waves=[]), headers=key)
            done = await bench.shows(campaign_id, state="completed")
        members = await bench.members(campaign_id)
        asked = await bench.asked()
        first = (await bench.client.get(f"/firmware/campaigns/{campaign_id}/stations", params={"wave": 1})).json()
        listed = (await bench.client.get("/firmware/campaigns", params={"limit": 500})).json()["items"]
        told = [json.loads(record.value) for record in await bench.bed.read(FIRMWARE_EVENTS, campaign_id)]
        none = await bench.client.post("/firmware/campaigns", json=bench.wanted())
        anew = await bench.client.post("/firmware/campaign-preview", json=bench.wanted(same_version=True))
        await looking_at(bench).forget()
        kept = await bench.client.get(f"/firmware/campaigns/{campaign_id}")
        await looking_at(bench, keep=timedelta(0)).forget()
        forgotten = await bench.client.get(f"/firmware/campaigns/{campaign_id}")
        left = await bench.bed.rows(
            "SELECT (SELECT count(*) FROM campaign_station), (SELECT count(*) FROM campaign_due)"
        )

    assert once == campaign_id
    assert (other.status_code, "Idempotency-Key" in other.json()["detail"]) == (422, True)
    assert (none.status_code, "6 has_version" in none.text) == (422, True)
    assert sum(anew.json()["sizes"]) == 6
    assert (kept.status_code, forgotten.status_code, left) == (200, 404, [(0, 0)])
    assert (preview["version"], preview["sizes"], preview["left_out"]) == ("2.0.0", [1, 1, 1, 3], {})
    assert [len(page) for page in pages] == [4, 2]
    assert {name for page in pages for name in page} == {each["station_id"] for each in preview["stations"]}
    assert [(wave["size"], wave["succeeded"]) for wave in done["counts"]] == [(1, 1), (2, 2), (3, 3)]
    assert asked == Counter(bench.stations)
    path = members[bench.stations[0]]["path"]
    assert [step["state"] for step in path] == ["waiting", "updating", "checking", "succeeded"]
    assert path[1]["update_id"] == members[bench.stations[0]]["update_id"] is not None
    assert [each["wave"] for each in first["items"]] == [1]
    assert campaign_id in [each["campaign_id"] for each in listed]
    assert [(each["state"], each["wave"]) for each in told] == [
        ("running", 1),
        ("running", 2),
        ("running", 3),
        ("completed", 3),
    ]
    assert told[-1]["counts"] == {"succeeded": 6}


async def test_a_campaign_stops_at_the_first_bad_station_is_resumed_and_cancelled(make_bench):
    async with make_bench() as bench:
        await bench.has(4)
        campaign_id = await bench.begins()
        (name,) = await eventually(bench.asked, what="the first station is asked")
        await bench.bed.publish(bench.frame(name, "InstallationFailed"))
        stopped = await bench.shows(campaign_id, state="stopped")
        resumed = await bench.client.post(f"/firmware/campaigns/{campaign_id}/resume")
        await bench.shows(campaign_id, state="running", wave=2)
        paused = await bench.client.post(f"/firmware/campaigns/{campaign_id}/pause")
        cancelled = await bench.client.post(f"/firmware/campaigns/{campaign_id}/cancel")
        await eventually(
            lambda: bench.members(campaign_id, state="waiting"), lambda members: members == {}, what="nobody waits"
        )
        late = await bench.client.post(f"/firmware/campaigns/{campaign_id}/resume")

    assert (stopped["reason"], stopped["wave"]) == ("too_many_failures", 1)
    assert [answer.json()["state"] for answer in (resumed, paused, cancelled)] == ["running", "paused", "cancelled"]
    assert (late.status_code, late.json()["title"]) == (409, "not in this state")


async def test_a_station_that_charges_or_is_away_begins_when_it_is_ready(make_bench, session):
    async with make_bench() as bench:
        await bench.has(2)
        charging, away = bench.stations
        await bench.bed.publish(session(charging), bench.connected(away, 7, online=False))
        await bench.known("(open_sessions = 1 OR NOT online)", 2)
        async with bench.playing():
            campaign_id = await bench.begins(waves=[], parallel_each=2)
            members = await eventually(
                lambda: bench.members(campaign_id),
                lambda members: [each["reason"] for each in members.values()] == ["charging", "offline"],
                what="both are waited for",
            )
            assert await bench.asked() == Counter()
            await bench.bed.publish(session(charging, ended=True), bench.connected(away, 8))
            await bench.shows(campaign_id, state="completed")

    assert {each["state"] for each in members.values()} == {"waiting"}


async def test_a_station_that_comes_while_a_look_puts_it_off_begins_all_the_same(make_bench, monkeypatch):
    keep, puts_off, may_end = members.keep, asyncio.Event(), asyncio.Event()

    async def slowly(connection, campaign_id, changed) -> None:
        if any(member.reason == "offline" for member in changed):
            puts_off.set()
            await may_end.wait()
        await keep(connection, campaign_id, changed)

    monkeypatch.setattr(members, "keep", slowly)
    async with make_bench() as bench:
        await bench.has(1)
        await bench.bed.publish(bench.connected(*bench.stations, 7, online=False))
        await bench.known("NOT online", 1)
        async with bench.playing():
            campaign_id = await bench.begins(waves=[])
            await puts_off.wait()
            await bench.bed.publish(bench.connected(*bench.stations, 8))
            await eventually(
                lambda: bench.bed.rows(
                    "SELECT 1 FROM station WHERE online UNION ALL "
                    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                ),
                what="it is heard of, or about to be",
            )
            may_end.set()
            await bench.shows(campaign_id, state="completed")


UNFIT = (
    ({"image_id": "none"}, "body.image_id", "there is no image"),
    ({"selector": {"vendor": "Nobody"}}, "body.selector", "no such station"),
    ({"rules": {"window": {"opens": "22:00", "closes": "22:00"}}}, "body.rules.window", "never opens"),
    ({"rules": {"window": {"opens": "22:00", "closes": "05:00", "days": []}}}, "body.rules.window", "never opens"),
)


async def test_what_could_not_be_carried_out_is_refused(make_bench):
    async with make_bench() as bench:
        await bench.has(1)
        for change, where, says in UNFIT:
            for path in ("/firmware/campaigns", "/firmware/campaign-preview"):
                answer = await bench.client.post(path, json=bench.wanted() | change)
                assert answer.status_code == 422
                (error,) = answer.json()["errors"]
                assert (error["field"], says in error["error"]) == (where, True)
        unknown = await bench.client.get(f"/firmware/campaigns/{uuid4()}/stations")
        listed = (await bench.client.get("/firmware/campaigns")).json()["items"]

    assert unknown.status_code == 404
    assert listed == []


def looking_at(bench: Bench, keep: timedelta = timedelta(days=30)) -> Campaigns:
    """Return what another copy of the service looks at campaigns with."""
    database, settings = bench.process.service.database, FirmwareSettings()
    keeping = update_keeping(Metrics(), settings.updates)
    commanding = Commanding(SERVICE, database, intents(keeping, settings), bench.process.edges.kafka_clock)
    updates = Updates(database, commanding, keeping, Images(), asking(settings.updates))
    return Campaigns(database, Images(), updates, Metrics(), keep)


async def test_copies_that_look_at_once_begin_each_station_once_and_no_more_than_may_be(make_bench):
    async with make_bench() as bench:
        await bench.has(16)
        most = 0
        async with bench.playing():
            campaign_id = await bench.begins(waves=[], parallel=3, parallel_each=1)
            copies = [looking_at(bench) for _ in range(3)]
            while (await bench.client.get(f"/firmware/campaigns/{campaign_id}")).json()["state"] == "running":
                await asyncio.gather(*(copy.look() for copy in copies))
                ((updating,),) = await bench.bed.rows("SELECT count(*) FROM firmware_update WHERE is_open")
                most = max(most, updating)
        asked = await bench.asked()
        members = await bench.members(campaign_id)

    assert asked == Counter(bench.stations)
    assert 1 <= most <= 3
    assert {each["state"] for each in members.values()} == {"succeeded"}


DIES = """
import asyncio, os, signal, sys
from datetime import timedelta
from chargebus_commanding import Commanding
from chargebus_runtime.outbox import Outbox
from chargebus_runtime.settings import RuntimeSettings
from chargebus_firmware.campaigns.operations import Campaigns
from chargebus_firmware.campaigns.store import campaigns, due, members
from chargebus_firmware.main import asking, intents, update_keeping
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.names import SERVICE
from chargebus_firmware.settings import FirmwareSettings
from chargebus_firmware.updates.domain.update import Firmware
from chargebus_firmware.updates.operations import Updates
from chargebus_testkit.bed import ProcessUnderTest

point, image_id, name, kafka, database_url = sys.argv[1:]

class Images:
    async def firmware(self, _connection, image_ids):
        return {each: Firmware("2.0.0", "https://files.example.com/two.bin", image_id) for each in image_ids}

    async def misfits(self, _connection, _image_id, wanted):
        return {}

    async def locate(self, _tx, updates):
        return {update.update_id: update.firmware.url for update in updates}

    def why_not(self, _over):
        return ""

    def choose(self, _station):
        return "http"

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

match point:
    case "begun":
        members.keep = die
    case "kept":
        due.put_off = die
    case "committed":
        Outbox.send_soon = die

async def main():
    process = ProcessUnderTest(RuntimeSettings(kafka_bootstrap_servers=kafka, database_url=database_url), name)
    database, settings = process.database(SERVICE, "chargebus_firmware"), FirmwareSettings()
    keeping = update_keeping(Metrics(), settings.updates)
    commanding = Commanding(SERVICE, database, intents(keeping, settings), process.edges.kafka_clock)
    await database.start()
    updates = Updates(database, commanding, keeping, Images(), asking(settings.updates))
    looking = Campaigns(database, Images(), updates, Metrics(), timedelta(days=30))
    while True:
        await looking.look()
        await asyncio.sleep(0.2)

asyncio.run(main())
"""
"""Looks at campaigns as a copy of the service, and is killed with updates begun, with all kept, or committed."""


@pytest.mark.parametrize(("point", "left"), [("begun", 0), ("kept", 0), ("committed", 2)])
async def test_kill_9_in_the_midst_of_a_look_begins_no_station_twice(make_bench, monkeypatch, point, left):
    monkeypatch.setattr(tasks, "_LOOKS_EVERY_S", 3600.0)
    async with make_bench() as bench:
        await bench.has(4)
        campaign_id = await bench.begins(waves=[], parallel=2)
        servers = (bench.bed.settings.kafka_bootstrap_servers, str(bench.bed.settings.database_url))
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DIES, point, IMAGE_ID, bench.bed.name, *servers
        )
        assert await child.wait() == -signal.SIGKILL
        assert (await bench.asked()).total() == left

        other = looking_at(bench)
        async with bench.playing():
            while (await bench.client.get(f"/firmware/campaigns/{campaign_id}")).json()["state"] == "running":
                await other.look()
        await eventually(
            lambda: bench.sent(bench.stations),
            lambda sent: sent.keys() == set(bench.stations),
            what="each station is asked",
        )
        sent = await bench.sent(bench.stations)
        members = await bench.members(campaign_id)

    assert sent == Counter(bench.stations)
    assert {each["state"] for each in members.values()} == {"succeeded"}
