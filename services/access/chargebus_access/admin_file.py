"""The file with an administrator's key: made at the first start, and taken up again by a database that lacks it."""

import asyncio
import logging
import os
import secrets as random_source
from pathlib import Path

from chargebus_events.access import ApiKey
from chargebus_runtime import secrets
from chargebus_runtime.away import CONFLICT, is_away
from chargebus_runtime.database import Database
from chargebus_runtime.keys import format_key, split_key
from chargebus_runtime.retry import until_done

from chargebus_access import store
from chargebus_access.domain import StoredKey
from chargebus_access.making import new_key_id

log = logging.getLogger(__name__)

_OWNER_ONLY = 0o600
_OTHERS = 0o077


class AdminFileError(ValueError):
    """The file does not hold an API key."""


class AdminFile:
    """Keeps the key of the file in the database; any number of copies may do so at once."""

    def __init__(self, path: Path, database: Database) -> None:
        self._path = path
        self._database = database

    async def install(self) -> None:
        """Make the file if it is missing, and put its key into the database if it is missing there.

        The file comes first: a key of which only the database knows would be of no use to anybody.

        Raises:
            AdminFileError: the file holds no API key. OSError: it cannot be read or made.
        """
        key_id, secret = await asyncio.to_thread(read_or_make, self._path)
        await until_done("installing the admin key", lambda: self._install(key_id, secret), is_away, *CONFLICT)

    async def _install(self, key_id: str, secret: str) -> None:
        async with self._database.transaction() as tx:
            key = ApiKey(key_id, f"admin key file {self._path.name}", "admin", secrets.hash_generated(secret), tx.now)
            if await store.insert(tx.connection, key, created_by=""):
                tx.send(key.record())
                return
            known = (await store.load(tx.connection))[key_id]
        _warn_if_useless(self._path, known, secret)


def read_or_make(path: Path) -> tuple[str, str]:
    """Return the key id and the secret that the file holds; a missing file is made with a new key, whole or not at all.

    Raises:
        AdminFileError: it holds no API key. OSError: it cannot be read or made.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        _make(path, format_key(new_key_id(), secrets.generate_password()))
        text = path.read_text()
    if path.stat().st_mode & _OTHERS:
        log.warning("%s holds an admin key and others may read it: chmod 600 it", path)
    split = split_key(text.strip())
    if split is None:
        raise AdminFileError(f"{path} holds no API key; remove it, and a new admin key is made at the next start")
    return split


def _make(path: Path, key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{random_source.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "w") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another copy was first: its key counts
    finally:
        draft.unlink(missing_ok=True)


def _warn_if_useless(path: Path, known: StoredKey, secret: str) -> None:
    if known.revoked_at is not None:
        log.warning("the key in %s was revoked; remove the file, and a new admin key is made at the next start", path)
    elif not secrets.verify(secret.encode(), known.key.secret_hash):
        log.warning("the key in %s has the id of another key and does not open anything", path)
