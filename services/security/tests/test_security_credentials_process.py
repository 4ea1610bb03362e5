"""Credentials in the service's process: asked for over HTTP, told in each version's words, killed on the way."""

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

import msgspec
import pytest
from chargebus_events.commands import CommandOutcome
from chargebus_events.credentials import CredentialsChange
from chargebus_events.public import STATION_DESCRIBED, StationDescribed, event
from chargebus_events.registry import RegisteredStation, removed
from chargebus_events.topics import COMMANDS, CREDENTIALS
from chargebus_ocppj.schemas import validate_call
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.secrets import verify
from chargebus_security.credentials import tasks
from chargebus_security.main import build
from chargebus_security.names import SERVICE
from chargebus_testkit.asked import asked
from chargebus_testkit.waiting import eventually

ROTATIONS, UPGRADES = "/credentials/rotations", "/credentials/upgrades"


class Bench:
    """Stations as the rest of the system tells of them, and what the service makes of that."""

    def __init__(self, bed, client, connected) -> None:
        self.bed, self.client, self._connected = bed, client, connected
        self._epochs = count(7)
        self.versions: dict[str, str] = {}
        self.registered: dict[str, RegisteredStation] = {}

    async def has(self, station_id: str, version: str, *, profile: int | None = 1, **labels: str) -> None:
        """Have a station registered and connected."""
        now = datetime.now(UTC)
        self.versions[station_id] = version
        self.registered[station_id] = RegisteredStation(station_id, "accepted", "old", now, security_profile=1)
        body = StationDescribed(station_id, now, labels=labels)
        await self.bed.publish(
            event(STATION_DESCRIBED, f"{station_id}/{now}", "/device", now, body), self.registered[station_id].record()
        )
        await self.connects(station_id, profile)
        await eventually(
            lambda: self.rows("SELECT online FROM station JOIN station_credentials USING (station_id)"),
            lambda rows: [(True,)] * len(self.versions) == rows,
            what="the stations are known",
        )

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return rows of its stations: other tests tell of theirs in the same topics."""
        return await self.bed.rows(f"{query} WHERE station_id = ANY($1)", list(self.versions))

    async def connects(self, station_id: str, profile: int | None = 1) -> None:
        connected = self._connected(station_id, next(self._epochs), self.versions[station_id], profile=profile)
        await self.bed.publish(connected)

    async def registers(self, station_id: str, **values: object) -> None:
        """Have the registry say something else of a station."""
        now = datetime.now(UTC)
        self.registered[station_id] = msgspec.structs.replace(self.registered[station_id], updated_at=now, **values)
        await self.bed.publish(self.registered[station_id].record())

    async def begins(self, path: str, **body: object) -> str:
        answer = await self.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return f"{path}/{answer.json()['campaign_id']}"

    async def changes(self, station_id: str, number: int = 1) -> list[CredentialsChange]:
        """Return the changes of a station's credentials, once there are so many."""
        found = await eventually(
            lambda: self.bed.read(CREDENTIALS, station_id),
            lambda records: len(records) >= number,
            what=f"{number} changes of {station_id}",
        )
        return [msgspec.json.decode(record.value, type=CredentialsChange) for record in found]

    async def commands(self, station_id: str, number: int = 1):
        """Return what a station was told, in the words of its version, once it was so many times."""
        found = await eventually(
            lambda: self.bed.read(COMMANDS, station_id),
            lambda records: len(records) >= number,
            what=f"{number} commands for {station_id}",
        )
        version, told = self.versions[station_id], []
        for record in found:
            command = asked(record.value)
            form = next(form for form in command.forms if version in form.versions)
            validate_call(version, form.action, bytes(form.payload))
            told.append((command, form.action, msgspec.json.decode(form.payload), record.value))
        return told

    async def answers(self, station_id: str, number: int, payload: dict | None, outcome: str = "answered") -> None:
        """Answer the command of this number."""
        command, action, _, _ = (await self.commands(station_id, number))[number - 1]
        now = datetime.now(UTC)
        told = CommandOutcome(
            command.command_id,
            station_id,
            SERVICE,
            outcome,
            now,
            now,
            command.intent,
            command.subject,
            action,
            self.versions[station_id],
            None if payload is None else msgspec.Raw(json.dumps(payload).encode()),
        )
        await self.bed.publish(told.record())

    async def member(self, campaign: str, station_id: str, state: str) -> dict:
        """Wait until a station is in a state."""

        async def look() -> dict:
            items = (await self.client.get(f"{campaign}/stations")).json()["items"]
            return next(each for each in items if each["station_id"] == station_id)

        return await eventually(look, lambda found: found["state"] == state, what=f"{station_id} is {state}")

    async def is_over(self, campaign: str) -> dict:
        async def look() -> dict:
            return (await self.client.get(campaign)).json()

        return await eventually(look, lambda found: found["ended_at"] is not None, what="it is over")


@pytest.fixture
def make_bench(make_bed, connected):
    @asynccontextmanager
    async def make():
        bed = make_bed(build)
        async with bed.running(), bed.client() as client:
            yield Bench(bed, client, connected)

    return make


def variable(status: str, **more: str) -> dict:
    place = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    return {"setVariableResult": [place | {"attributeStatus": status} | more]}


@pytest.mark.road
async def test_passwords_are_rotated_in_each_versions_words_and_nobody_else_sees_them(make_bench, station_id):
    old, new = f"{station_id}-16", f"{station_id}-201"
    async with make_bench() as bench:
        await bench.has(old, "1.6", site=station_id)
        await bench.has(new, "2.0.1", site=station_id)
        body = {"stations": {"labels": {"site": station_id}}, "per_minute": 6000}
        key = {"Idempotency-Key": station_id}
        made = await bench.client.post(ROTATIONS, json=body, headers=key)
        again = await bench.client.post(ROTATIONS, json=body, headers=key)
        other = await bench.client.post(ROTATIONS, json=body | {"name": "other"}, headers=key)
        assert (made.status_code, again.status_code, other.status_code) == (201, 200, 422)
        assert again.json()["campaign_id"] == made.json()["campaign_id"]
        campaign = f"{ROTATIONS}/{made.json()['campaign_id']}"

        stored = {}
        for name in (old, new):
            [given] = await bench.changes(name)
            stored[name] = given.give
            assert await bench.bed.read(COMMANDS, name) == []  # not before the edges know it
            await bench.registers(name, newer_password_hashes=(given.give,))
        [(_, action_16, payload_16, raw_16)] = await bench.commands(old)
        [(_, action_201, payload_201, raw_201)] = await bench.commands(new)
        kept = await bench.rows("SELECT known FROM credential_member")
        await bench.answers(old, 1, {"status": "Accepted"})
        await bench.answers(new, 1, variable("Rejected"))
        refused = await bench.member(campaign, new, "refused")
        told = await bench.member(campaign, old, "told")
        await bench.registers(old, password_hash=stored[old], newer_password_hashes=())
        over = await bench.is_over(campaign)
        taken_back = await bench.changes(new, 2)
        left = await bench.rows("SELECT campaign_id FROM station_credentials")

    assert (action_16, action_201) == ("ChangeConfiguration", "SetVariables")
    assert payload_16["key"] == "AuthorizationKey"
    [data] = payload_201["setVariableData"]
    assert (data["component"]["name"], data["variable"]["name"]) == ("SecurityCtrlr", "BasicAuthPassword")
    secrets = [payload_16["value"], data["attributeValue"]]
    assert [verify(secret.encode(), stored[name]) for secret, name in zip(secrets, (old, new), strict=True)] == [
        True
    ] * 2
    assert len(bytes.fromhex(payload_16["value"])) == 20
    seen = [raw_16, raw_201, *(known for (known,) in kept), *(s.encode() for s in stored.values())]
    assert not [secret for secret in secrets for text in seen if secret.encode() in text]
    assert [step["state"] for step in told["path"]] == ["waiting", "registering", "telling", "told"]
    assert refused["reason"] == "Rejected"
    assert taken_back[1].take_back == stored[new]
    assert (over["state"], over["counts"]) == ("completed", {"done": 1, "refused": 1})
    assert left == [(None,), (None,)]


async def test_who_is_not_registered_is_left_out_and_what_has_not_begun_is_stopped_at_last_without_a_key(
    make_bench, monkeypatch, station_id
):
    first, away = f"{station_id}-a", f"{station_id}-b"
    async with make_bench() as bench:
        await bench.has(first, "1.6")
        await bench.has(away, "1.6")
        nobody = await bench.client.post(ROTATIONS, json={"stations": {"labels": {"site": "nowhere"}}})
        wanted = {"station_ids": [first, away, "GHOST"]}
        campaign = await bench.begins(ROTATIONS, stations=wanted, per_minute=1)
        await bench.changes(first)
        stopped = await bench.client.post(f"{campaign}/stop")
        cancelled = await bench.member(campaign, away, "cancelled")
        await bench.member(campaign, "GHOST", "left_out")
        under_way = (await bench.client.get(campaign)).json()
        as_upgrade = await bench.client.get(campaign.replace("rotations", "upgrades"))
        await bench.bed.publish(removed(away))
        await eventually(
            lambda: bench.rows("SELECT station_id FROM station_credentials"),
            lambda rows: rows == [(first,)],
            what="nothing is kept of a station that was removed",
        )
        later = await bench.begins(ROTATIONS, stations={"station_ids": [first]})  # another is at work with it
        monkeypatch.setattr(Sealing, "has_keys", property(lambda _self: False))
        keyless = await bench.member(later, first, "cancelled")

    assert "SEALING_KEYS" in keyless["reason"]
    assert (nobody.status_code, stopped.json()["state"]) == (422, "stopped")
    assert (cancelled["reason"], under_way["ended_at"]) == ("an operator has stopped it", None)
    assert as_upgrade.status_code == 404


async def test_a_station_of_which_no_profile_is_known_waits_until_it_is(make_bench, station_id):
    async with make_bench() as bench:
        await bench.has(station_id, "1.6", profile=None)
        wanted = {"station_ids": [station_id]}
        campaign = await bench.begins(UPGRADES, stations=wanted, security_profile=2, check_root=False)
        await bench.has(f"{station_id}-known", "1.6")
        other = await bench.begins(ROTATIONS, stations={"station_ids": [f"{station_id}-known"]})
        await bench.changes(f"{station_id}-known")  # by then it was looked at
        waiting = await bench.member(campaign, station_id, "waiting")
        await bench.connects(station_id, 2)
        [raised] = await bench.changes(station_id)
        await bench.client.post(f"{other}/stop")

    assert [step["state"] for step in waiting["path"]] == ["waiting"]
    assert (raised.security_profile, raised.lowers) == (2, False)


DIES = """
import asyncio, os, signal, sys
from chargebus_commanding import Commanding
from chargebus_runtime.outbox import Outbox
from chargebus_runtime.settings import RuntimeSettings
from chargebus_security.credentials.operations.working import TOLD, Working
from chargebus_security.credentials.store import members
from chargebus_security.metrics import Metrics
from chargebus_security.names import SERVICE
from chargebus_testkit.bed import SEALING_KEYS, ProcessUnderTest

point, name, kafka, database_url = sys.argv[1:]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

match point:
    case "begun":
        members.keep = die
    case "committed":
        Outbox.send_soon = die

async def main():
    settings = RuntimeSettings(kafka_bootstrap_servers=kafka, database_url=database_url, sealing_keys=SEALING_KEYS)
    process = ProcessUnderTest(settings, name)
    database = process.database(SERVICE, "chargebus_security")
    intents = {}
    commanding = Commanding(SERVICE, database, intents, process.edges.kafka_clock, process.sealing)
    working = Working(database, commanding, process.sealing, Metrics())
    intents[TOLD] = working.answered
    await database.start()
    while True:
        await working.look()
        await asyncio.sleep(0.2)

asyncio.run(main())
"""
"""Begins as a copy of the service, and is killed before that is kept, or when it is, with nothing sent."""


@pytest.mark.timeout(600)
async def test_kill_9_where_it_begins_gives_no_station_two_passwords(make_bench, monkeypatch, station_id):
    monkeypatch.setattr(tasks, "LOOK_EVERY_S", 3600.0)
    begun, committed = f"{station_id}-begun", f"{station_id}-committed"
    async with make_bench() as bench:
        servers = (bench.bed.name, bench.bed.settings.kafka_bootstrap_servers, str(bench.bed.settings.database_url))

        async def dies(point: str) -> None:
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, point, *servers)
            assert await child.wait() == -signal.SIGKILL

        await bench.has(begun, "1.6")
        first = await bench.begins(ROTATIONS, stations={"station_ids": [begun]})
        await dies("begun")
        before = await bench.member(first, begun, "waiting")
        await bench.client.post(f"{first}/stop")
        await bench.has(committed, "1.6")
        second = await bench.begins(ROTATIONS, stations={"station_ids": [committed]})
        # Both are due; the one that was stopped begins nothing.
        await dies("committed")
        held = await bench.rows("SELECT station_id, campaign_id IS NOT NULL FROM station_credentials")
        given = [await bench.bed.read(CREDENTIALS, name) for name in (begun, committed)]

    monkeypatch.undo()
    async with bench.bed.running(), bench.bed.client() as client:
        bench.client = client
        [change] = await bench.changes(committed)
        await bench.registers(committed, newer_password_hashes=(change.give,))
        [(_, _, payload, _)] = await bench.commands(committed)
        await bench.answers(committed, 1, {"status": "Accepted"})
        await bench.registers(committed, password_hash=change.give, newer_password_hashes=())
        await bench.member(second, committed, "done")

    assert [step["state"] for step in before["path"]] == ["waiting"]
    assert sorted(held) == [(begun, False), (committed, True)]
    assert given[0] == []
    assert verify(payload["value"].encode(), change.give)
