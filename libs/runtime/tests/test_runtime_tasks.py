"""Work that repeats goes on where the database is away, and what is due is done once, by whichever copy comes first."""

import asyncio

import asyncpg
import pytest
from chargebus_runtime.clock import utc_now
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.retry import Backoff
from chargebus_runtime.tasks import DueWork, every
from chargebus_runtime.telemetry import Tracing

_TAKE = "SELECT id FROM work WHERE NOT done ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED"
_DONE = "UPDATE work SET done = true, times = times + 1 WHERE id = ANY($1)"


@pytest.mark.parametrize("error", [ConnectionError(), asyncpg.DeadlockDetectedError("in each other's way")])
async def test_what_repeats_tries_again_where_the_database_is_away_and_rests_only_after_it_worked(monkeypatch, error):
    monkeypatch.setattr("chargebus_runtime.retry.BACKOFF", Backoff(first_s=0.001))
    fates, done = [error, error, None, None], asyncio.Event()

    async def act():
        fate = fates.pop(0)
        if not fates:
            done.set()
        if fate is not None:
            raise fate

    running = asyncio.create_task(every(0.01, "acting", act)())
    await asyncio.wait_for(done.wait(), 180)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()


async def test_an_error_of_our_own_ends_what_repeats():
    async def act():
        raise KeyError("a coding error")

    with pytest.raises(KeyError):
        await asyncio.wait_for(every(600, "acting", act)(), 180)


@pytest.fixture
async def database(make_database, postgres, producer, tmp_path):
    url = await make_database("due")
    options = DatabaseOptions(url.split("?")[0].rsplit("/", 1)[1], postgres.url, tmp_path)
    database = Database(options, producer, utc_now, Tracing(enabled=False))
    await database.start()
    await database.pool.execute("CREATE TABLE work (id int PRIMARY KEY, done bool DEFAULT false, times int DEFAULT 0)")
    await database.pool.execute("INSERT INTO work SELECT generate_series(1, 25)")
    yield database
    await database.stop()


class Worker:
    """Does the rows of `work`; `stuck` can never be done, `paused` holds what was taken until it is set."""

    def __init__(self, database, piece=10, stuck=()):
        self.due = DueWork(database, piece, self._take, self._carry_out)
        self.stuck = set(stuck)
        self.pieces = []
        self.holding, self.paused = asyncio.Event(), None

    async def _take(self, tx, limit):
        return [row["id"] for row in await tx.connection.fetch(_TAKE, limit)]

    async def _carry_out(self, tx, ids):
        self.pieces.append(ids)
        if self.paused is not None:
            self.holding.set()
            await self.paused.wait()
        able = [each for each in ids if each not in self.stuck]
        await tx.connection.execute(_DONE, able)
        return len(able)


async def undone(database):
    return [row["id"] for row in await database.pool.fetch("SELECT id FROM work WHERE NOT done ORDER BY id")]


async def test_all_that_is_due_is_done_in_pieces(database):
    worker = Worker(database)
    await worker.due.sweep()

    assert await undone(database) == []
    assert [len(piece) for piece in worker.pieces] == [10, 10, 5]


async def test_of_what_is_due_a_piece_may_be_done_and_no_more(database):
    worker = Worker(database)

    assert [await worker.due.sweep_some() for _ in range(3)] == [True, True, False]
    assert [len(piece) for piece in worker.pieces] == [10, 10, 5]


async def test_copies_that_sweep_at_once_share_the_work_and_do_nothing_twice(database):
    slow, quick = Worker(database), Worker(database)
    slow.paused = asyncio.Event()
    sweeping = asyncio.create_task(slow.due.sweep())
    await asyncio.wait_for(slow.holding.wait(), 180)
    await asyncio.wait_for(quick.due.sweep(), 180)
    left = await undone(database)
    slow.paused.set()
    await asyncio.wait_for(sweeping, 180)

    assert left == slow.pieces[0] == list(range(1, 11))
    assert await undone(database) == []
    assert await database.pool.fetchval("SELECT max(times) FROM work") == 1


async def test_what_cannot_be_done_does_not_keep_the_sweeper_busy_for_ever(database):
    worker = Worker(database, piece=3, stuck=[1, 2, 3])
    await asyncio.wait_for(worker.due.sweep(), 180)

    assert worker.pieces == [[1, 2, 3]]


async def test_a_sweep_that_fails_leaves_what_it_took(database):
    worker = Worker(database)

    async def fail(_tx, _ids):
        raise KeyError("a coding error")

    with pytest.raises(KeyError):
        await DueWork(database, 10, worker._take, fail).sweep()
    assert len(await undone(database)) == 25
