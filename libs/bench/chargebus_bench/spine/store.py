"""The spine's database: tokens, transactions, how far each partition was handled, and the outbox."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

import asyncpg

from chargebus_bench.spine.road import PARTITIONS, TO_SESSION

_SCHEMA = """
CREATE TABLE token (id_token text PRIMARY KEY);
CREATE TABLE charging (
    transaction_id bigserial PRIMARY KEY,
    station_id text, id_token text, start_wh float, stop_wh float, started_at text, stopped_at text
);
CREATE TABLE position (partition int PRIMARY KEY, next_offset bigint);
CREATE TABLE outbox (id bigserial PRIMARY KEY, answers bytea);
"""

Start = tuple[str, str, float, str]
"""Station, token, meter in Wh, time."""

Stop = tuple[int, float, str]
"""Transaction id, meter in Wh, time."""


async def create(url: str, tokens: Sequence[str]) -> None:
    """Make the tables of an empty database, and the tokens that are known."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_SCHEMA)
        await connection.execute("INSERT INTO token SELECT unnest($1::text[])", tokens)
        await connection.execute(
            "INSERT INTO position SELECT partition, 0 FROM unnest($1::int[]) AS partition",
            range(PARTITIONS[TO_SESSION]),
        )
    finally:
        await connection.close()


class Store:
    """One connection to the database; what is written within `transaction` is there as a whole or not at all."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Return a database transaction."""
        transaction: AbstractAsyncContextManager[None] = self._connection.transaction()
        return transaction

    async def positions(self, partitions: Collection[int]) -> dict[int, int]:
        """Return the offsets up to which partitions were handled, and lock them."""
        rows = await self._connection.fetch(
            "SELECT partition, next_offset FROM position WHERE partition = any($1::int[]) FOR UPDATE", partitions
        )
        return dict(map(tuple, rows))

    async def advance(self, positions: Mapping[int, int]) -> None:
        """Note the offsets up to which partitions are handled now."""
        await self._connection.execute(
            "UPDATE position SET next_offset = new.next_offset"
            " FROM unnest($1::int[], $2::bigint[]) AS new (partition, next_offset)"
            " WHERE position.partition = new.partition",
            [*positions],
            [*positions.values()],
        )

    async def known(self, tokens: Collection[str]) -> set[str]:
        """Return those of the tokens that are known."""
        rows = await self._connection.fetch("SELECT id_token FROM token WHERE id_token = any($1::text[])", tokens)
        return {row[0] for row in rows}

    async def start(self, starts: Sequence[Start]) -> list[int]:
        """Begin transactions; return their ids in the same order."""
        rows = await self._connection.fetch(
            "INSERT INTO charging (station_id, id_token, start_wh, started_at)"
            " SELECT * FROM unnest($1::text[], $2::text[], $3::float[], $4::text[]) RETURNING transaction_id",
            *zip(*starts, strict=True),
        )
        return [row[0] for row in rows]

    async def stop(self, stops: Sequence[Stop]) -> None:
        """End transactions."""
        await self._connection.execute(
            "UPDATE charging SET stop_wh = stop.meter_wh, stopped_at = stop.at"
            " FROM unnest($1::bigint[], $2::float[], $3::text[]) AS stop (transaction_id, meter_wh, at)"
            " WHERE charging.transaction_id = stop.transaction_id",
            *zip(*stops, strict=True),
        )

    async def keep(self, answers: bytes) -> int:
        """Put answers into the outbox; return by which id they are taken out."""
        return int(await self._connection.fetchval("INSERT INTO outbox (answers) VALUES ($1) RETURNING id", answers))

    async def kept(self) -> list[tuple[int, bytes]]:
        """Return what the outbox holds, in order, with ids."""
        return [tuple(row) for row in await self._connection.fetch("SELECT id, answers FROM outbox ORDER BY id")]

    async def remove(self, ids: Collection[int]) -> None:
        """Take published answers out of the outbox."""
        await self._connection.execute("DELETE FROM outbox WHERE id = any($1::bigint[])", ids)
