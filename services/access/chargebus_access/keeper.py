"""Keeps the first admin key and the topic of keys: what `access.keys` says is what the database says."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from chargebus_events.access import revoked
from chargebus_runtime import secrets
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import AWAY, CONFLICT, Database
from chargebus_runtime.retry import until_done

from chargebus_access import store
from chargebus_access.domain import NewKey, Wish, make_key, read_key
from chargebus_access.metrics import AccessMetrics
from chargebus_access.settings import AccessSettings

log = logging.getLogger(__name__)

FIRST_ADMIN = Wish("first admin", "admin")


def random_key_id() -> str:
    """Return an id for a new key."""
    return secrets.generate_password()[:12]


class Keeper:
    """Installs the admin key of the file, and republishes what the topic lacks."""

    def __init__(
        self, database: Database, published: Callable[[], frozenset[str]], settings: AccessSettings, clock: Clock
    ) -> None:
        self._database = database
        self._published = published
        self._settings = settings
        self._clock = clock
        self._metrics = AccessMetrics()

    async def start(self) -> None:
        """Let the admin key of the file in; make both if they are missing.

        Raises:
            AdminKeyFileError: the file holds something else. OSError: it cannot be read or written.
        """
        file = self._settings.admin_key_file
        if file is not None:
            key = self._made(file) or read_key(file.read_text(encoding="utf-8"), FIRST_ADMIN, self._clock())
            await until_done("installing the admin key", lambda: self._install(key), *AWAY, *CONFLICT)

    async def run(self) -> None:
        """Compare the topic with the database, until cancelled."""
        while True:
            await until_done("comparing the API keys", self.compare, *AWAY, *CONFLICT)
            await asyncio.sleep(self._settings.compare_every_s)

    async def compare(self) -> None:
        """Publish keys that the topic lacks, and take out those that the database does not have.

        Several copies may do so at once: they publish the same.
        """
        wanted, published = await store.every(self._database.pool), self._published()
        missing = [key.record() for key_id, key in wanted.items() if key_id not in published]
        surplus = [revoked(key_id) for key_id in published - wanted.keys()]
        if not missing and not surplus:
            return
        log.warning("access.keys: publishing %d keys, taking out %d", len(missing), len(surplus))
        async with self._database.transaction() as transaction:
            for record in (*missing, *surplus):
                transaction.send(record)
        self._metrics.repairs.add(len(missing) + len(surplus))

    def _made(self, file: Path) -> NewKey | None:
        """Make a key and its file, whole or not at all and readable by its owner only; None if it is there."""
        if file.exists():
            return None
        key = make_key(FIRST_ADMIN, random_key_id(), secrets.generate_password(), self._clock())
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(key.presented + "\n", encoding="utf-8")
        try:
            file.hardlink_to(draft)
        except FileExistsError:  # another copy was first
            return None
        finally:
            draft.unlink()
        return key

    async def _install(self, key: NewKey) -> None:
        async with self._database.transaction() as transaction:
            if await store.add(transaction.connection, key.key):
                transaction.send(key.key.record())
