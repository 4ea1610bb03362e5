"""The checker itself: each lie planted in a real system meets its objection, and nothing else does."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from chargebus_events.commands import CommandOutcome
from chargebus_events.record import Received, Record
from chargebus_events.topics import parked_topic
from chargebus_runtime import parking
from chargebus_testkit.checker import Checker, Expected
from chargebus_testkit.fleet import Fleet, Plan
from chargebus_testkit.log import Log
from chargebus_testkit.system import System
from chargebus_testkit.waiting import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("going on"),
]

IMPATIENT_S = 1.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fleet(system: System) -> AsyncIterator[Fleet]:
    """Return a fleet that has charged and rests: its histories and the system agree."""
    await system.tidy()
    async with Fleet(system, Plan("books", size=6)) as fleet:
        async with fleet.busy():
            await fleet.progress(10)
            await fleet.commands(3)
        await fleet.rest()
        yield fleet


@pytest.fixture
def transaction(fleet: Fleet):
    """Return a transaction that is over and answered."""
    entries = [entry for station in fleet.stations for entry in station.history.transactions]
    return next(entry for entry in entries if entry.settled and entry.energy_wh)


@pytest_asyncio.fixture(loop_scope="session")
async def command_id(system: System, fleet: Fleet) -> str:
    """Return a command of the command API, so that no outcome of it was told, and that was answered."""
    connection = await system.connect("command")
    asked = await connection.fetch("SELECT command_id FROM command WHERE requester = 'http'")
    await connection.close()
    of_http = {row["command_id"] for row in asked}
    entries = [entry for station in fleet.stations for entry in station.history.commands]
    return next(entry.message_id for entry in entries if entry.answered is not None and entry.message_id in of_http)


@pytest.fixture
def objections(system: System, fleet: Fleet):
    async def object_to(expected: Expected = fleet.expected) -> list[str]:
        return await Checker(system).objections(expected, IMPATIENT_S)

    return object_to


@asynccontextmanager
async def altered(system: System, service: str, table: str, where: str, *values: object) -> AsyncIterator[object]:
    """Yield a connection to a service's database; afterwards the rows are again as they were."""
    connection = await system.connect(service)
    try:
        await connection.execute(f"CREATE TABLE kept AS TABLE {table}")
        assert await connection.fetch(f"SELECT FROM {table} WHERE {where}", *values), "nothing to plant a lie in"
        yield connection
    finally:
        columns = await connection.fetchval(
            "SELECT string_agg(column_name, ', ') FROM information_schema.columns WHERE table_name = $1", table
        )
        await connection.execute(f"DELETE FROM {table}")
        await connection.execute(f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM kept")
        await connection.execute("DROP TABLE kept")
        await connection.close()


async def double(connection, table: str, where: str, values: tuple[object, ...], **changes: object) -> None:
    """Insert the rows again with some columns changed."""
    await connection.execute(
        f"INSERT INTO {table} OVERRIDING SYSTEM VALUE "
        f"SELECT (jsonb_populate_record(t, '{msgspec.json.encode(changes).decode()}'::jsonb)).* "
        f"FROM {table} AS t WHERE {where}",
        *values,
    )


SESSION = "station_id = $1 AND transaction_id = $2"


def key(transaction) -> tuple[str, str]:
    return (transaction.station_id, transaction.transaction_id)


async def test_an_honest_system_meets_no_objection(objections):
    assert await objections() == []


async def test_a_lost_transaction(system, transaction, objections):
    async with altered(system, "session", "charging_session", SESSION, *key(transaction)) as connection:
        await connection.execute(f"DELETE FROM charging_session WHERE {SESSION}", *key(transaction))

        (objection,) = await objections()

    assert objection.startswith(transaction.station_id)
    assert "is lost" in objection


async def test_a_doubled_transaction(system, transaction, objections):
    async with altered(system, "session", "charging_session", SESSION, *key(transaction)) as connection:
        again = {"session_id": str(uuid4()), "transaction_id": "999999", "name": "another", "start": "another"}
        await double(connection, "charging_session", SESSION, key(transaction), **again)

        found = await objections()

    assert any("is there 2 times" in objection for objection in found)


async def test_a_wrong_energy(system, transaction, objections):
    async with altered(system, "session", "charging_session", SESSION, *key(transaction)) as connection:
        await connection.execute(
            f"UPDATE charging_session SET energy_wh = energy_wh - 1 WHERE {SESSION}", *key(transaction)
        )

        (objection,) = await objections()

    assert f"energy_wh is {transaction.energy_wh - 1}.0 and should be {transaction.energy_wh}" in objection


async def test_a_lost_reading(system, transaction, objections):
    where = f"{SESSION} AND context = 'Transaction.End' AND measurand = 'Energy.Active.Import.Register'"
    async with altered(system, "metering", "meter_reading", where, *key(transaction)) as connection:
        await connection.execute(f"DELETE FROM meter_reading WHERE {where}", *key(transaction))

        (objection,) = await objections()

    assert "the reading Transaction.End" in objection
    assert "is lost" in objection


async def test_a_doubled_reading(system, transaction, objections):
    where = f"{SESSION} AND context = 'Transaction.End' AND measurand = 'Energy.Active.Import.Register'"
    async with altered(system, "metering", "meter_reading", where, *key(transaction)) as connection:
        await double(connection, "meter_reading", where, key(transaction), reading_id=str(uuid4()))

        (objection,) = await objections()

    assert "is there 2 times" in objection


async def test_a_command_without_an_outcome(system, command_id, objections):
    async with altered(system, "command", "command", "command_id = $1", command_id) as connection:
        await connection.execute("UPDATE command SET outcome = NULL WHERE command_id = $1", command_id)

        (objection,) = await objections()

    assert command_id in objection
    assert "has no outcome" in objection


async def test_a_command_that_is_not_in_the_ledger(system, command_id, objections):
    async with altered(system, "command", "command", "command_id = $1", command_id) as connection:
        await connection.execute("DELETE FROM command WHERE command_id = $1", command_id)

        (objection,) = await objections()

    assert "not in the ledger" in objection


async def test_a_command_whose_outcome_is_not_what_its_station_did(system, command_id, objections):
    async with altered(system, "command", "command", "command_id = $1", command_id) as connection:
        await connection.execute(
            """UPDATE command SET reply = '{"status": "Imagined"}' WHERE command_id = $1""", command_id
        )

        (objection,) = await objections()

    assert "Imagined" in objection


async def test_a_parked_record(system, objections):
    topic = parked_topic("session")
    headers = {parking.TOPIC: b"ocpp.frames.session", parking.REASON: b"it was planted", "ce_id": b"planted"}
    async with Log(system.kafka_connection) as log:
        await log.produce([Received(topic, 0, 0, "BOOKS", b"{}", headers)])
        (planted,) = [record for record in await log.read(topic) if record.text("ce_id") == "planted"]

        (objection,) = await objections()
        rightly = await objections(Expected(parked=frozenset({"planted"})))

        note = parking.replayed("session", planted, datetime.now(UTC))
        await log.produce([Received(topic, 0, 0, note.key, note.value, dict(note.headers))])
    assert "it was planted" in objection
    assert rightly == []


async def test_an_outbox_row_that_is_left(system, objections):
    connection = await system.connect("session")
    await connection.execute("INSERT INTO outbox (source_topic, source_partition, records, created_at) "
                             "VALUES ('planted', 0, '', now())")  # fmt: skip

    (objection,) = await objections()

    await connection.execute("DELETE FROM outbox WHERE source_topic = 'planted'")
    await connection.close()
    assert objection == "session has 1 outbox rows left"


async def test_a_record_that_nobody_has_read(system, objections):
    connection = await system.connect("session")
    row = await connection.fetchrow("SELECT * FROM consumer_offset WHERE next_offset > 0 AND topic LIKE '%frames%'")
    setting = "UPDATE consumer_offset SET next_offset = $3 WHERE topic = $1 AND partition = $2"
    await connection.execute(setting, row["topic"], row["partition"], row["next_offset"] - 1)

    (objection,) = await objections()

    await connection.execute(setting, row["topic"], row["partition"], row["next_offset"])
    await connection.close()
    assert objection.startswith(f"session has read {row['topic']}[{row['partition']}]")


async def test_a_hole_in_the_log(system, objections):
    connection = await system.connect("metering")
    await connection.execute("INSERT INTO log_hole (topic, partition, from_offset, to_offset, reason, found_at) "
                             "VALUES ('meter.values', 3, 5, 9, 'planted', now())")  # fmt: skip

    (objection,) = await objections()

    await connection.execute("DELETE FROM log_hole WHERE reason = 'planted'")
    await connection.close()
    assert objection == "metering never read meter.values[3] 5 to 9"


async def test_a_process_that_ended_by_itself(system, objections):
    process = system["metering"]

    async def is_gone():
        return process.crashed

    os.kill(process.pid, signal.SIGKILL)
    await eventually(is_gone, what="it ended")

    found = await objections()

    await process.start()
    assert found == ["metering ended by itself"]


async def test_a_command_with_two_outcomes(system, command_id, objections):
    """The last one here: what stands in a topic cannot be taken back."""
    connection = await system.connect("command")
    station_id = await connection.fetchval("SELECT station_id FROM command WHERE command_id = $1", command_id)
    await connection.close()
    now = datetime.now(UTC)
    told = [CommandOutcome(command_id, station_id, "session", name, now, now) for name in ("answered", "timed_out")]
    async with Log(system.kafka_connection) as log:
        await log.produce([_received(outcome.record()) for outcome in told])

    found = await objections()

    assert any(command_id in objection and "has 2 outcomes" in objection for objection in found), found


def _received(record: Record) -> Received:
    return Received(record.topic, 0, 0, record.key, record.value, dict(record.headers))
