"""What a consuming service relies on: each record applied once, nothing skipped in silence, the guilty parked."""

import asyncio
import functools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from chargebus_events.record import Received, Record
from chargebus_events.topics import MAX_RECORD_BYTES, TOPICS, Topic
from chargebus_runtime import consumer, offsets, parking, progress
from chargebus_runtime.batch import Batch
from chargebus_runtime.clock import utc_now
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.gathering import no_patience
from chargebus_runtime.kafka import KafkaConnection, received
from chargebus_runtime.offsets import Hole
from chargebus_runtime.outbox import pack
from chargebus_runtime.parking_limit import IN_A_ROW
from chargebus_runtime.positions import StaleOffsetError
from chargebus_runtime.process import Process, Service
from chargebus_runtime.producer import Producer
from chargebus_runtime.progress import Progress
from chargebus_runtime.retry import Backoff
from chargebus_runtime.settings import RuntimeSettings
from chargebus_runtime.telemetry import metrics
from chargebus_runtime.topics import ensure_topics
from chargebus_testkit.waiting import eventually, until

MIGRATIONS = Path(__file__).parent / "counter_migrations"


@dataclass
class Counter:
    """A service that writes each record into a table and sends one on; `poison` makes it fail."""

    name: str
    topic: Topic
    out: Topic
    poison: str = ""
    fail: dict[str, Exception] = field(default_factory=dict)
    fail_once: list[Exception] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    async def handle(self, batch: Batch) -> None:
        self.meanwhile()
        self.batches.append(len(batch.records))
        for record in batch.records:
            value = (record.value or b"").decode()
            await batch.connection.execute("INSERT INTO applied (station, value) VALUES ($1, $2)", record.key, value)
            batch.send(Record(self.out.name, record.key, record.value), because=record)
        if self.poison in [(r.value or b"").decode() for r in batch.records] and self.poison:
            raise ValueError("this one is poison")
        for record in batch.records:
            if error := self.fail.get((record.value or b"").decode()):
                raise error
        if self.fail_once:
            raise self.fail_once.pop()

    def refuse(self, record: Received, reason: str) -> list[Record]:
        return [Record(self.out.name, record.key, f"refused: {reason}".encode())]


@dataclass
class Bench:
    """One service on the real broker and database."""

    settings: RuntimeSettings
    counter: Counter
    patience: Callable[[Received], float] = no_patience
    calm: str = ""
    rest_s: float = 0.0

    def build(self, process: Process) -> Service:
        options = DatabaseOptions(f"chargebus_{self.counter.name}", self.settings.database_url, MIGRATIONS)
        database = Database(options, process.producer, process.clock, process.telemetry.tracing)
        counter = self.counter
        topics = (counter.topic.name, *((self.calm,) if self.calm else ()))
        rests = {self.calm: self.rest_s}
        spec = ConsumerSpec(topics, counter.handle, counter.refuse, patience=self.patience, rest_s=rests)
        return Service(self.counter.name, database, spec)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Process]:
        process = Process(self.settings, name=self.counter.name)
        await self.build(process).database.migrate()
        await process.start([self.build])
        try:
            yield process
        finally:
            await process.stop()

    async def rows(self, query: str = "SELECT station, value FROM applied ORDER BY id") -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(
            self.settings.database_url.replace("/postgres?", f"/chargebus_{self.counter.name}?")
        )
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def read(self, topic: str) -> list[Received]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap_servers, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            tps = [TopicPartition(topic, partition) for partition in range(2)]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            found: list[Received] = []
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [received(record) for record in records]
            return found
        finally:
            with suppress(asyncio.CancelledError):  # aiokafka, of its own task, when stopped right after assign()
                await consumer.stop()


@pytest.fixture
async def bench(kafka, postgres, monkeypatch, unused_tcp_port) -> Bench:
    name = f"counter{uuid.uuid4().hex[:8]}"
    topics = [Topic(f"{name}.{suffix}", "station", name, (), 2) for suffix in ("in", "out", "parked")]
    for topic in topics:
        monkeypatch.setitem(TOPICS, topic.name, topic)
    settings = RuntimeSettings(
        kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=postgres.url, http_port=unused_tcp_port
    )
    bench = Bench(settings, Counter(name, topics[0], topics[1]))
    keys = TOPICS["access.keys"]
    await ensure_topics(Process(settings).kafka, [*topics, keys], 1)
    return bench


def has_rows(bench: Bench, count: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return len(await bench.rows()) >= count

    return check


def client(process: Process, bench: Bench) -> AIOKafkaConsumer:
    clients = [subscriber.consumer for subscriber in process._readers._broker.subscribers]
    return next(each for each in clients if any(tp.topic == bench.counter.topic.name for tp in each.assignment()))


async def read_further(process: Process, bench: Bench, offset: int) -> None:
    """Let a running service have read its one used partition up to `offset`."""
    ((topic, number),) = await bench.rows("SELECT topic, partition FROM consumer_offset WHERE next_offset > 0")
    tp = TopicPartition(topic, number)
    await bench.rows(f"UPDATE consumer_offset SET next_offset = {offset} WHERE partition = {number}")
    process._positions[bench.counter.name]._next[tp] = offset
    client(process, bench).seek(tp, offset)


async def test_each_record_is_applied_once_and_sent_on(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, f"s{i}", b"%d" % i) for i in range(50)])
        await eventually(has_rows(bench, 50))
    assert sorted(int(v) for _, v in await bench.rows()) == list(range(50))
    assert len(await bench.read(bench.counter.out.name)) == 50
    assert await bench.rows("SELECT id FROM outbox") == []


async def test_a_restart_goes_on_where_the_database_says(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"2")])
        await eventually(has_rows(bench, 2))
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"3")])
        await eventually(has_rows(bench, 3))
    assert await bench.rows() == [("s", "1"), ("s", "2"), ("s", "3")]


async def test_only_the_guilty_record_is_parked_and_its_sender_told(bench: Bench) -> None:
    bench.counter.poison = "bad"
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", v) for v in (b"1", b"bad", b"2")])
        await eventually(has_rows(bench, 2))
    assert await bench.rows() == [("s", "1"), ("s", "2")]
    parked = parking.still_parked(await bench.read(f"{bench.counter.name}.parked"))
    assert [(p.key, p.value) for p in parked] == [("s", b"bad")]
    assert "this one is poison" in parked[0].text(parking.REASON)
    assert parking.replay(parked[0]).topic == bench.counter.topic.name
    values = [r.value for r in await bench.read(bench.counter.out.name)]
    assert values == [b"1", b"refused: ValueError: this one is poison", b"2"]


async def test_what_is_parked_stands_in_health_with_the_last_reason_until_it_is_replayed_or_dismissed(
    bench: Bench,
) -> None:
    name = bench.counter.name
    bench.counter.fail = {"one": ValueError("first"), "two": ValueError("second"), "three": ValueError("third")}
    values = (b"one", b"1", b"two", b"2", b"three", b"3")
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", value) for value in values])
        await eventually(has_rows(bench, 3))
        (database,) = process._databases()
        assert await process._degraded() == {
            name: [f"3 parked (chargebus parked list {name}), the last: ValueError: third"]
        }
        assert name not in await process._not_ready()
        records = parking.still_parked(await bench.read(f"{name}.parked"))
        await parking.forget(database.pool, records[1:])
        assert await parking.count(database.pool) == (1, "ValueError: first")
        await parking.forget_older(database.pool, utc_now() + timedelta(minutes=1))
        assert await process._degraded() == {}


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("away"),
        asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
        asyncpg.DeadlockDetectedError("conflict"),
        asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
        asyncpg.ReadOnlySQLTransactionError("a failover"),
        ConnectionResetError("gone"),
    ],
)
async def test_a_database_that_is_away_is_waited_for_never_parked(bench: Bench, error: Exception) -> None:
    bench.counter.fail_once = [error, error]
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
    assert await bench.rows() == [("s", "1")]
    assert await bench.read(f"{bench.counter.name}.parked") == []


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("tariffs.json"),
        TimeoutError("our own patience"),
        asyncpg.DataError("invalid input for query argument $1: 'x' (an integer is required)"),
        asyncpg.InterfaceError("the server expects 2 arguments for this query, 3 were passed"),
    ],
)
async def test_an_error_of_our_own_code_is_parked_and_not_waited_for(bench: Bench, error: Exception) -> None:
    bench.counter.fail = {"bad": error}
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", v) for v in (b"1", b"bad", b"2")])
        await eventually(has_rows(bench, 2))
    assert await bench.rows() == [("s", "1"), ("s", "2")]
    assert [r.value for r in await bench.read(f"{bench.counter.name}.parked")] == [b"bad"]


async def parked(bench: Bench) -> list[bytes | None]:
    return [record.value for record in await bench.read(f"{bench.counter.name}.parked")]


async def test_a_bad_deployment_parks_a_few_records_then_stops_says_why_and_goes_on_once_it_works(
    bench: Bench,
) -> None:
    good, name = bench.counter.handle, bench.counter.name
    column = "energy_wh"

    async def select(batch: Batch) -> None:
        await good(batch)
        await batch.connection.execute(f"SELECT {column} FROM applied")

    bench.counter.handle = select  # type: ignore[method-assign]
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"%d" % i) for i in range(20)])
        await eventually(lambda: reason_is(process, bench, "had to be parked"))
        (reason,) = (await process._not_ready())[name]
        assert f"the last {IN_A_ROW} records" in reason
        assert f"{bench.counter.topic.name}[" in reason
        assert '@5 of s: UndefinedColumnError: column "energy_wh" does not exist' in reason
        await asyncio.sleep(1)  # it tries again, and parks nothing
        assert await parked(bench) == [b"%d" % i for i in range(IN_A_ROW)]
        assert await bench.rows() == []
        column = "value"  # mended
        await eventually(has_rows(bench, 20 - IN_A_ROW))
        assert name not in await process._not_ready()
    assert [value for _, value in await bench.rows()] == [f"{i}" for i in range(IN_A_ROW, 20)]
    assert len(await parked(bench)) == IN_A_ROW


async def reason_is(process: Process, bench: Bench, words: str) -> bool:
    return words in " ".join((await process._not_ready()).get(bench.counter.name, []))


@pytest.mark.real_broker
async def test_an_output_topic_that_is_missing_stops_no_batch_and_gets_its_records_in_order_once_it_is_made(
    bench: Bench,
) -> None:
    bench.counter.out = Topic(f"{bench.counter.name}.later", "station", bench.counter.name, (), 2)
    values = [b"%d" % number for number in range(20)]
    async with bench.running() as process:
        for count, value in enumerate(values, 1):  # each is a batch of its own
            await process.producer.publish([Record(bench.counter.topic.name, "s", value)])
            await eventually(has_rows(bench, count))
        assert await process._not_ready() == {}
        await ensure_topics(process.kafka, [bench.counter.out], 1)
        await process.idle()
        assert await bench.rows("SELECT id FROM outbox") == []
    assert [record.value for record in await bench.read(bench.counter.out.name)] == values


async def test_a_table_that_the_service_may_not_write_to_stops_it_until_the_grant_is_there(bench: Bench) -> None:
    async with bench.running() as process:
        await bench.rows("ALTER TABLE consumer_offset ADD CHECK (next_offset = 0)")  # neither applied nor parked
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(lambda: reason_is(process, bench, "neither be applied nor parked"))
        await bench.rows("ALTER TABLE consumer_offset DROP CONSTRAINT consumer_offset_next_offset_check")
        await eventually(has_rows(bench, 1))
        assert not process.failed.is_set()
    assert await parked(bench) == []


async def test_a_poison_record_in_a_batch_is_found_by_halving_and_the_good_ones_stay_together(bench: Bench) -> None:
    bench.counter.poison = "bad"
    bench.patience = lambda record: 0.0 if record.value == b"last" else 5.0
    values = [b"%d" % i for i in range(100)] + [b"bad"] + [b"%d" % i for i in range(100, 120)] + [b"last"]
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", value) for value in values])
        await eventually(has_rows(bench, 121))
    assert [value.encode() for _, value in await bench.rows()] == [v for v in values if v != b"bad"]
    assert await parked(bench) == [b"bad"]
    assert bench.counter.batches[0] == 122
    assert bench.counter.batches[-1] == 21  # all that came after it, at once
    assert len(bench.counter.batches) <= 2 * 7 + 2


async def test_a_partition_that_is_stuck_holds_up_no_other_and_is_parked_once_others_show_that_the_code_works(
    bench: Bench,
) -> None:
    bench.counter.poison = "bad"
    async with bench.running() as process:
        topic = bench.counter.topic.name
        bad = [Record(topic, "mad", b"bad", partition=0) for _ in range(IN_A_ROW + 2)]
        await process.producer.publish([*bad, Record(topic, "mad", b"at last", partition=0)])
        await eventually(lambda: reason_is(process, bench, "had to be parked"))
        await process.producer.publish([Record(topic, "sane", b"good", partition=1)])
        await eventually(has_rows(bench, 2))
        assert bench.counter.name not in await process._not_ready()
    assert sorted(await bench.rows()) == [("mad", "at last"), ("sane", "good")]
    assert await parked(bench) == [b"bad"] * (IN_A_ROW + 2)


async def test_the_others_go_on_at_their_own_pace_while_a_partition_that_stopped_rests(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (consumer, progress):
        monkeypatch.setattr(module, "BACKOFF", Backoff(60, 60))
    bench.counter.poison = "bad"
    async with bench.running() as process:
        topic = bench.counter.topic.name
        await process.producer.publish([Record(topic, "mad", b"bad", partition=0) for _ in range(IN_A_ROW + 2)])
        await eventually(lambda: reason_is(process, bench, "had to be parked"))
        for count in (1, 2):
            await process.producer.publish([Record(topic, "sane", b"%d" % count, partition=1)])
            await eventually(has_rows(bench, count))
        assert await reason_is(process, bench, "had to be parked")
    assert len(await parked(bench)) == IN_A_ROW


async def test_an_error_in_refuse_harms_one_answer_and_no_more(bench: Bench, counted: list[dict[str, str]]) -> None:
    def refuse(record: Received, _reason: str) -> list[Record]:
        raise LookupError(record.key)

    bench.counter.poison = "bad"
    bench.counter.refuse = refuse  # type: ignore[method-assign]
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", v) for v in (b"1", b"bad", b"2")])
        await eventually(has_rows(bench, 2))
        assert not process.failed.is_set()
    assert await parked(bench) == [b"bad"]
    assert counted == [{"service": bench.counter.name, "where": "refuse"}]


async def test_an_error_in_patience_lets_the_record_wait_for_nobody_and_harms_no_more(
    bench: Bench, counted: list[dict[str, str]]
) -> None:
    def patience(record: Received) -> float:
        raise LookupError(record.key)

    bench.patience = patience
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
        assert not process.failed.is_set()
    assert counted == [{"service": bench.counter.name, "where": "patience"}]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    monkeypatch.setattr(metrics(), "faults", SimpleNamespace(add=lambda _one, labels: found.append(labels)))
    return found


async def test_a_reason_with_characters_that_cannot_be_stored_is_parked_all_the_same(bench: Bench) -> None:
    bench.counter.fail = {"bad": ValueError("no \0 and no \ud800")}
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", v) for v in (b"bad", b"1")])
        await eventually(has_rows(bench, 1))
    (record,) = await bench.read(f"{bench.counter.name}.parked")
    assert record.text(parking.REASON) == r"ValueError: no \0 and no \ud800"


async def test_a_consumer_whose_handler_never_ends_is_not_ready(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()
    good = bench.counter.handle

    async def hang(batch: Batch) -> None:
        entered.set()
        await go_on.wait()
        await good(batch)

    bench.counter.handle = hang  # type: ignore[method-assign]
    monkeypatch.setattr(consumer, "Progress", functools.partial(Progress, stalled_after_s=1.5))
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"%d" % i) for i in range(3)])
        await asyncio.wait_for(entered.wait(), 180)
        await eventually(lambda: reason_is(process, bench, "records to read"))
        go_on.set()
        await eventually(has_rows(bench, 3))
        assert bench.counter.name not in await process._not_ready()


async def test_nothing_is_parked_while_the_database_does_not_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [False, False]

    async def answer(_database: Database) -> bool:
        return answers.pop() if answers else True

    monkeypatch.setattr(Database, "answers", answer)
    bench.counter.fail_once = [ValueError("half of a row")] * 2
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
        assert not process.failed.is_set()
    assert await bench.read(f"{bench.counter.name}.parked") == []


async def test_partitions_that_are_taken_away_while_a_batch_is_applied_do_not_end_the_service(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_COMMIT_EVERY_S", 0.0)
    async with bench.running() as process:
        bench.counter.meanwhile = process._positions[bench.counter.name].lose_all
        for count in (1, 2):
            await process.producer.publish([Record(bench.counter.topic.name, "s", b"%d" % count)])
            await eventually(has_rows(bench, count))
        assert not process.failed.is_set()
    assert await bench.rows() == [("s", "1"), ("s", "2")]


async def committed(bench: Bench, count: int) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(bench.counter.name)
    finally:
        await admin.close()
    return sum(each.offset for each in offsets.values()) == count


async def test_records_that_another_copy_applied_are_skipped(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
        ((_, partition),) = await bench.rows("SELECT topic, partition FROM consumer_offset WHERE next_offset > 0")
        await bench.rows(f"UPDATE consumer_offset SET next_offset = 3 WHERE partition = {partition}")
        await process.producer.publish([Record(bench.counter.topic.name, "s", v) for v in (b"2", b"3", b"4")])
        await eventually(has_rows(bench, 2))
    assert await bench.rows() == [("s", "1"), ("s", "4")]


async def test_what_a_crash_left_in_the_outbox_goes_out_before_the_first_batch(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
        ((topic, partition),) = await bench.rows("SELECT topic, partition FROM consumer_offset WHERE next_offset > 0")
    left = pack([Record(bench.counter.out.name, "s", b"left behind")]).hex()
    await bench.rows(
        "INSERT INTO outbox (source_topic, source_partition, records, created_at) "
        f"VALUES ('{topic}', {partition}, decode('{left}', 'hex'), now())"
    )
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"2")])
        await eventually(has_rows(bench, 2))
    assert [r.value for r in await bench.read(bench.counter.out.name)] == [b"1", b"left behind", b"2"]
    assert await bench.rows("SELECT id FROM outbox") == []


async def test_a_new_cluster_starts_from_the_beginning(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
    await bench.rows("UPDATE consumer_offset SET cluster_id = 'an older cluster'")
    async with bench.running():
        await eventually(has_rows(bench, 2))
    assert await bench.rows() == [("s", "1"), ("s", "1")]


async def test_a_topic_shorter_than_the_stored_offset_is_a_hole_in_health_until_acknowledged(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
    await bench.rows("UPDATE consumer_offset SET next_offset = 100 WHERE next_offset > 0")
    async with bench.running() as process:
        await eventually(has_rows(bench, 2))
        database = process._services[0].database
        assert "shorter" in (await process._degraded())[bench.counter.name][0]
        await offsets.acknowledge_holes(database.pool, utc_now())
        assert await process._degraded() == {}


def numbers(bench: Bench, count: int) -> list[Record]:
    return [Record(bench.counter.topic.name, "s", b"%d" % i, partition=0) for i in range(count)]


async def test_a_hole_that_another_copy_has_passed_is_none(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish(
            [Record(bench.counter.topic.name, "s", b"%d" % i, partition=0) for i in range(5)]
        )
        await eventually(has_rows(bench, 5))
        positions = process._positions[bench.counter.name]
        tp = TopicPartition(bench.counter.topic.name, 0)
        hole = Hole(tp.topic, tp.partition, 3, 4, "seen before the other copy got on")
        with pytest.raises(StaleOffsetError):
            await positions.leap(hole)
        assert await process._degraded() == {}
        assert await bench.rows("SELECT next_offset FROM consumer_offset WHERE partition = 0") == [(5,)]
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"5", partition=0)])
        await eventually(has_rows(bench, 6))


async def test_a_hole_is_written_with_the_offset_that_it_was_seen_at_and_waits_for_who_holds_it(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish(
            [Record(bench.counter.topic.name, "s", b"%d" % i, partition=0) for i in range(5)]
        )
        await eventually(has_rows(bench, 5))
        positions = process._positions[bench.counter.name]
        hole = Hole(bench.counter.topic.name, 0, 5, 9, "seen while the other copy applied a batch")
        async with process._services[0].database.pool.acquire() as other, other.transaction():
            await other.execute("UPDATE consumer_offset SET next_offset = 6 WHERE partition = 0")
            leaping = asyncio.create_task(positions.leap(hole))
            await asyncio.wait([leaping], timeout=0.3)
            assert not leaping.done()
        with pytest.raises(StaleOffsetError):
            await leaping
        assert await process._degraded() == {}


async def test_a_partition_that_is_taken_away_while_a_hole_is_written_is_sought_anew(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish(numbers(bench, 1))
        await eventually(has_rows(bench, 1))
        positions = process._positions[bench.counter.name]
        tp = TopicPartition(bench.counter.topic.name, 0)
        async with process._services[0].database.pool.acquire() as other, other.transaction():
            await other.execute("SELECT FROM consumer_offset WHERE partition = 0 FOR UPDATE")
            leaping = asyncio.create_task(positions.leap(Hole(tp.topic, tp.partition, 1, 9, "seen before that")))
            await asyncio.wait([leaping], timeout=0.3)
            await positions.on_partitions_revoked([tp])
        await leaping
        assert positions.current([tp]) == {}


@pytest.mark.real_broker
async def test_a_service_that_is_new_to_a_log_whose_beginning_is_gone_reads_what_is_left(bench: Bench) -> None:
    producer = Producer(KafkaConnection(bench.settings))
    await producer.start()
    await producer.publish(numbers(bench, 5))
    await producer.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.settings.kafka_bootstrap_servers)
    await admin.start()
    await admin.delete_records({TopicPartition(bench.counter.topic.name, 0): RecordsToDelete(before_offset=3)})
    await admin.close()
    async with bench.running() as process:
        await eventually(has_rows(bench, 2))
        assert await process._degraded() == {}
    assert await bench.rows() == [("s", "3"), ("s", "4")]


async def test_a_kafka_that_does_not_tell_its_cluster_is_waited_for_and_nothing_is_read_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
    describe = AIOKafkaAdminClient.describe_cluster
    untold = [None, ""]

    async def silent(admin: AIOKafkaAdminClient) -> dict[str, object]:
        told = await describe(admin)
        return {**told, "cluster_id": untold.pop()} if untold else told

    monkeypatch.setattr(AIOKafkaAdminClient, "describe_cluster", silent)
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"2")])
        await eventually(has_rows(bench, 2))
    assert untold == []
    assert await bench.rows() == [("s", "1"), ("s", "2")]


@pytest.mark.real_broker
async def test_a_log_that_is_cut_under_a_running_consumer_is_a_hole_and_its_new_records_are_applied(
    bench: Bench,
) -> None:
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
        await read_further(process, bench, offset=100)  # as if the log had been longer, and had lost its end
        await eventually(has_rows(bench, 2))  # it is read from its beginning
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"2")])
        await eventually(has_rows(bench, 3))
        assert "shorter" in (await process._degraded())[bench.counter.name][0]
    assert await bench.rows() == [("s", "1"), ("s", "1"), ("s", "2")]


async def test_a_cut_log_is_a_hole_even_if_it_has_grown_past_our_offset_since(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
        positions = process._positions[bench.counter.name]
        positions.lose_end([tp for tp, offset in positions._next.items() if offset > 0])
        positions.lose_all()
        await eventually(has_rows(bench, 2))
        assert "shorter" in (await process._degraded())[bench.counter.name][0]
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"2")])
        await eventually(has_rows(bench, 3))
        assert len((await process._degraded())[bench.counter.name]) == 1


async def test_a_record_that_could_never_go_out_parks_what_made_it(bench: Bench) -> None:
    count = bench.counter.handle

    async def inflate(batch: Batch) -> None:
        await count(batch)
        for record in batch.records:
            size = MAX_RECORD_BYTES if record.value == b"2" else 1
            batch.send(Record(bench.counter.out.name, record.key, b"x" * size), because=record)

    bench.counter.handle = inflate  # type: ignore[method-assign]
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", v) for v in (b"1", b"2", b"3")])
        await eventually(has_rows(bench, 2))
        await process.idle()
    assert await bench.rows() == [("s", "1"), ("s", "3")]
    assert [r.value for r in await bench.read(f"{bench.counter.name}.parked")] == [b"2"]
    assert await bench.rows("SELECT id FROM outbox") == []


async def test_a_client_that_lost_a_task_ends_the_process_and_the_rest_stops(bench: Bench) -> None:
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await eventually(has_rows(bench, 1))
        client(process, bench)._fetcher._fetch_task.cancel()
        await asyncio.wait_for(process.failed.wait(), 180)
        (database,) = process._databases()
    with pytest.raises(RuntimeError, match="not started"):
        assert database.pool


@pytest.mark.real_broker
async def test_what_kafka_holds_as_committed_is_all_that_was_applied_once_it_is_quiet(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_COMMIT_EVERY_S", 1.5)
    async with bench.running() as process:
        for count in (1, 2, 3):
            await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
            await eventually(has_rows(bench, count))
        await eventually(lambda: committed(bench, 3))


@pytest.mark.real_broker
async def test_what_kafka_holds_as_committed_is_all_that_was_applied_when_a_service_stops(bench: Bench) -> None:
    async with bench.running() as process:
        for count in (1, 2, 3):
            await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
            await eventually(has_rows(bench, count))
    assert await committed(bench, 3)


async def test_a_poll_that_waits_for_records_ends_when_the_service_stops(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_IDLE_S", 60.0)
    async with bench.running() as process:
        ((consuming, running),) = process._consumers
        await process.idle()

        consuming.stop()

        await asyncio.wait_for(running, 180)


async def test_records_sent_in_a_rolled_back_transaction_never_go_out(bench: Bench) -> None:
    async with bench.running() as process:
        database = process._services[0].database
        with pytest.raises(ValueError, match="changed my mind"):
            async with database.transaction() as tx:
                tx.send(Record(bench.counter.out.name, "s", b"never"))
                raise ValueError("changed my mind")
        async with database.transaction() as tx:
            tx.send(Record(bench.counter.out.name, "s", b"sent"))

        async def sent() -> bool:
            return len(await bench.read(bench.counter.out.name)) > 0

        await eventually(sent)
    assert [r.value for r in await bench.read(bench.counter.out.name)] == [b"sent"]


async def test_two_copies_share_partitions_and_apply_each_record_once(bench: Bench, unused_tcp_port_factory) -> None:
    other = Bench(bench.settings.model_copy(update={"http_port": unused_tcp_port_factory()}), bench.counter)
    async with bench.running() as process:
        async with other.running():
            for i in range(30):
                await process.producer.publish([Record(bench.counter.topic.name, f"s{i}", b"%d" % i)])
            await eventually(has_rows(bench, 30))
        await process.producer.publish([Record(bench.counter.topic.name, f"t{i}", b"%d" % (30 + i)) for i in range(30)])
        await eventually(has_rows(bench, 60))
    assert sorted(int(v) for _, v in await bench.rows()) == list(range(60))


async def test_records_that_nobody_waits_for_are_gathered_and_each_applied_once(bench: Bench) -> None:
    bench.patience = lambda record: 0.0 if record.value == b"now" else 3.0
    async with bench.running() as process:
        for i in range(5):
            await process.producer.publish([Record(bench.counter.topic.name, "s", b"%d" % i)])
        assert await bench.rows() == []
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"now")])
        await eventually(has_rows(bench, 6))
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"later")])
        await eventually(has_rows(bench, 7))
    assert [value for _, value in await bench.rows()] == ["0", "1", "2", "3", "4", "now", "later"]
    assert bench.counter.batches == [6, 1]


async def test_what_is_gathered_when_the_service_stops_is_read_again(bench: Bench) -> None:
    bench.patience = lambda record: 0.0 if record.value == b"now" else 3.0
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"1")])
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"2")])
    async with bench.running() as process:
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"now")])
        await eventually(has_rows(bench, 3))
    assert [value for _, value in await bench.rows()] == ["1", "2", "now"]


@pytest.fixture
async def calm(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> str:
    topic = Topic(f"{bench.counter.name}.calm", "station", bench.counter.name, (), 2)
    monkeypatch.setitem(TOPICS, topic.name, topic)
    await ensure_topics(Process(bench.settings).kafka, [topic], 1)
    bench.calm = topic.name
    return topic.name


async def test_a_topic_that_nobody_waits_for_rests_and_holds_up_no_other(bench: Bench, calm: str) -> None:
    bench.rest_s = 10.0
    async with bench.running() as process:
        await process.producer.publish([Record(calm, "s", b"0")])
        await eventually(has_rows(bench, 1))
        for value in (b"1", b"2", b"3"):
            await process.producer.publish([Record(calm, value.decode(), value)])
        await process.producer.publish([Record(bench.counter.topic.name, "s", b"now")])
        await eventually(has_rows(bench, 2))
        assert sorted(str(value) for _, value in await bench.rows()) == ["0", "now"]
        await process.idle()
    assert sorted(str(value) for _, value in await bench.rows()) == ["0", "1", "2", "3", "now"]
    assert bench.counter.batches == [1, 1, 3]


async def test_a_topic_of_which_much_waits_is_read_to_its_end_before_it_rests(bench: Bench, calm: str) -> None:
    bench.rest_s = 30.0
    bench.settings = bench.settings.model_copy(update={"batch_records": 10})
    async with bench.running() as process:
        await process.producer.publish([Record(calm, f"s{i}", b"%d" % i) for i in range(45)])
    bench.counter.batches.clear()
    async with bench.running():
        await eventually(has_rows(bench, 45))
    assert len(await bench.rows()) == 45


async def test_what_two_topics_say_about_the_same_rows_is_applied_one_after_the_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, unused_tcp_port_factory
) -> None:
    """Their partitions of one number are in two copies here, as they have not as many of them."""
    name, first = bench.counter.name, bench.counter.topic.name
    second = Topic(f"{name}.more", "station", name, (), 3)
    monkeypatch.setitem(TOPICS, second.name, second)
    await ensure_topics(Process(bench.settings).kafka, [second], 1)
    seen: set[tuple[int, str]] = set()

    async def add(copy: int, batch: Batch) -> None:
        for record in batch.records:
            seen.add((copy, record.topic))
            known = await batch.connection.fetchval("SELECT value FROM applied WHERE station = 'sum'")
            await asyncio.sleep(0.005)
            await batch.connection.execute("UPDATE applied SET value = $1 WHERE station = 'sum'", f"{int(known) + 1}")

    def build(process: Process, copy: int) -> Service:
        options = DatabaseOptions(f"chargebus_{name}", bench.settings.database_url, MIGRATIONS)
        database = Database(options, process.producer, process.clock, process.telemetry.tracing)
        handle, refuse = functools.partial(add, copy), bench.counter.refuse
        spec = ConsumerSpec((first, second.name), handle, refuse, together=frozenset({first, second.name}))
        return Service(name, database, spec)

    async def summed() -> int:
        [(value,)] = await bench.rows("SELECT value FROM applied WHERE station = 'sum'")
        return int(str(value))

    copies = [
        Process(bench.settings.model_copy(update={"http_port": unused_tcp_port_factory()}), name=name) for _ in range(2)
    ]
    await build(copies[0], 0).database.migrate()
    await bench.rows("INSERT INTO applied (station, value) VALUES ('sum', '0')")
    for number, process in enumerate(copies):
        await process.start([functools.partial(build, copy=number)])
    try:
        await until(lambda: all(process._positions[name].established for process in copies))
        for _ in range(30):
            for topic in (first, second.name):
                await copies[0].producer.publish([Record(topic, "s", b"1", partition=1)])
        await eventually(summed, lambda value: value == 60)
    finally:
        for process in copies:
            await process.stop()
    assert len({copy for copy, _ in seen}) == 2
