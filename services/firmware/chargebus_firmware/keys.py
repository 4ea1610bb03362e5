"""Under which keys callers ask for something: under one key the same is done once."""

from typing import Final

import asyncpg
import msgspec

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext($1))"


class Key(msgspec.Struct, frozen=True):
    """A caller's key, and what tells two requests under it apart."""

    idempotency_key: str | None = None
    fingerprint: str = ""


class KeyUsedError(Exception):
    """The key was used for something else; the message says so."""


async def done_before(connection: asyncpg.Connection, find: str, key: Key) -> asyncpg.Record | None:
    """Return what was done under a key: a row with its `fingerprint`, which `find` selects by the key.

    The key is held until the transaction ends: who comes with it at the same time waits for what becomes of it.

    Raises:
        KeyUsedError: that was something else.
    """
    if key.idempotency_key is None:
        return None
    await connection.execute(_LOCK, key.idempotency_key)
    row = await connection.fetchrow(find, key.idempotency_key)
    if row is not None and row["fingerprint"] != key.fingerprint:
        raise KeyUsedError("Something else was asked under this Idempotency-Key. Take another one.")
    return row
