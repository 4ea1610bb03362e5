"""What is done with API keys: made, revoked, and the one of the admin key file kept in the database."""

import asyncio
import logging
import secrets as random_source
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from chargebus_events.access import ApiKey, revoked
from chargebus_runtime import secrets
from chargebus_runtime.away import CONFLICT, is_away
from chargebus_runtime.database import Database
from chargebus_runtime.keys import format_key
from chargebus_runtime.retry import until_done

from chargebus_access.domain.keys import StoredKey, WantedKey, is_last_admin
from chargebus_access.errors import ExpiredAlreadyError, KeyIdTakenError, LastAdminError, UnknownKeyError
from chargebus_access.metrics import Metrics
from chargebus_access.store import keys
from chargebus_access.store.admin_file import read_or_make

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key, and what its holder presents: nothing else ever holds the secret."""

    stored: StoredKey
    presented: str


@dataclass(frozen=True)
class KeyOperations:
    """What administrators do."""

    database: Database
    metrics: Metrics

    async def page(self, state: str, after: str, limit: int) -> Sequence[StoredKey]:
        """Return up to `limit` keys in the order of their ids; `state` is active, revoked or all."""
        async with self.database.pool.acquire() as connection:
            return await keys.page(connection, state, after, limit)

    async def create(self, wanted: WantedKey) -> NewKey:
        """Make a key.

        Raises:
            ExpiredAlreadyError: it would never work. KeyIdTakenError: by chance.
        """
        async with self.database.transaction() as tx:
            if wanted.expires_at is not None and wanted.expires_at <= tx.now:
                raise ExpiredAlreadyError("expires_at has passed already; give a time to come, or none.")
            made = new_key(wanted, tx.now)
            if not await keys.insert(tx.connection, made.stored):
                raise KeyIdTakenError("By chance the new key's id was taken; try again.")
            tx.send(made.stored.key.record())
        await tx.published()
        self.metrics.created.add(1, {"role": wanted.role})
        return made

    async def revoke(self, key_id: str) -> None:
        """Revoke a key, if it is not revoked already.

        Raises:
            UnknownKeyError: there is none. LastAdminError: nobody could make another.
        """
        async with self.database.transaction() as tx:
            known = await keys.lock(tx.connection)
            stored = known.get(key_id)
            if stored is None:
                raise UnknownKeyError(f"There is no API key {key_id!r}.")
            if stored.revoked_at is not None:
                return
            if is_last_admin(key_id, known.values(), tx.now):
                raise LastAdminError("Nobody could manage API keys; create another admin key first.")
            await keys.revoke(tx.connection, replace(stored, revoked_at=tx.now))
            tx.send(revoked(key_id))
        await tx.published()
        self.metrics.revoked.add(1, {"role": stored.key.role})


@dataclass(frozen=True)
class AdminFile:
    """Keeps the key of the admin key file in the database; any number of copies may do so at once."""

    path: Path
    database: Database

    async def install(self) -> None:
        """Make the file if it is missing, and put its key into the database if it is missing there.

        The file comes first: a key of which only the database knows would be of no use to anybody.

        Raises:
            AdminFileError: the file holds no API key. OSError: it cannot be read or made.
        """
        key_id, secret = await asyncio.to_thread(read_or_make, self.path, new_presented_key)
        await until_done("installing the admin key", lambda: self._install(key_id, secret), is_away, *CONFLICT)

    async def _install(self, key_id: str, secret: str) -> None:
        async with self.database.transaction() as tx:
            name = f"admin key file {self.path.name}"
            key = ApiKey(key_id, name, "admin", secrets.hash_generated(secret), tx.now)
            if await keys.insert(tx.connection, StoredKey(key)):
                tx.send(key.record())
                return
            known = (await keys.load(tx.connection))[key_id]
        if known.revoked_at is not None:
            log.warning(
                "the key in %s was revoked; remove the file, and a new admin key is made at the next start", self.path
            )
        elif not secrets.verify(secret.encode(), known.key.secret_hash):
            log.warning("the key in %s has the id of another key and does not open anything", self.path)


def new_key_id() -> str:
    """Return an id that no other key has: 48 random bits in hexadecimal."""
    return random_source.token_hex(6)


def new_presented_key() -> str:
    """Return what the holder of a new key presents."""
    return format_key(new_key_id(), secrets.generate_password())


def new_key(wanted: WantedKey, now: datetime) -> NewKey:
    """Return a key as it is wanted, with an id and a secret of its own."""
    key_id, secret = new_key_id(), secrets.generate_password()
    key = ApiKey(key_id, wanted.name, wanted.role, secrets.hash_generated(secret), now, wanted.expires_at)
    return NewKey(StoredKey(key, wanted.created_by), format_key(key_id, secret))
