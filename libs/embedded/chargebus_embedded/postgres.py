"""One PostgreSQL server from a wheel that lives and dies with this process."""

import asyncio
import hashlib
import os
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import asyncpg

from chargebus_embedded.account import Account, plain_environment, postgres_account
from chargebus_embedded.child import Child, Command, until_answering
from chargebus_embedded.errors import StartError
from chargebus_embedded.installation import find_programs
from chargebus_embedded.server import EmbeddedServer

_NAME = "PostgreSQL"
_USER = "postgres"
_SOCKET = "socket"
_PORT = 5432  # of the socket file's name only: there is no TCP listener
_START_WITHIN_S = 180.0
_LONGEST_SOCKET_PATH = 100
_TRIES_AFTER_A_CRASH = 20

# What the processes of a killed server still hold for a moment; a start within that moment fails with these words.
_LEFT_OVER = ("pre-existing shared memory block", "is another postmaster")

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": f"../{_SOCKET}",  # from the data folder: neither too long nor in need of quotes
    "port": str(_PORT),
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "24MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "jit": "off",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}


class EmbeddedPostgres(EmbeddedServer):
    """A real server with its data in `data_dir`, kept from one start to the next.

    It listens on a Unix socket in a folder that only its account may enter, so it needs no password and no port.

    Args:
        data_dir: the server's folder; its data and its log file lie there.
        settings: what differs from our own, named as PostgreSQL does; with `fsync` off, nothing is synced.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(_NAME)
        self._folder = data_dir.resolve()
        self._data = self._folder / "data"
        self._socket = self._folder / _SOCKET
        self._settings = {**_SETTINGS, **(settings or {})}

    @property
    def url(self) -> str:
        """The server's address for asyncpg and SQLAlchemy, with the database `postgres` in it."""
        return f"postgresql://{_USER}@/{_USER}?host={quote(str(self._socket_folder()), safe='/')}&port={_PORT}"

    async def start(self) -> None:
        """Start the server and wait until it answers; makes the data folder at the first start.

        Raises:
            StartError: the server ended or did not answer; the message shows the end of its log.
            EmbeddedError: the wheel is missing, or we are root and have no account that can run PostgreSQL.
        """
        account = postgres_account()
        programs = await asyncio.to_thread(find_programs, account)
        for folder in (self._folder, self._data, self._socket):
            account.own(folder)
        self._shorten_address()
        if not (self._data / "PG_VERSION").exists():
            await asyncio.to_thread(self._initialise, account, programs)
        command = Command(
            name=_NAME,
            arguments=(
                *(str(programs / "postgres"), "-D", str(account.working(self._data))),
                *(argument for name, value in self._settings.items() for argument in ("-c", f"{name}={value}")),
            ),
            folder=self._data,
            log=self._folder / "postgres.log",
            environment=plain_environment(os.environ),
            account=account,
            stop=signal.SIGINT,  # "fast": ends sessions, then writes a checkpoint
            orphaned=signal.SIGQUIT,  # "immediate": takes its own children with it; the next start recovers
        )
        for attempt in range(_TRIES_AFTER_A_CRASH):
            self._child = Child(command)
            try:
                await until_answering(self._child, self._answers, _START_WITHIN_S)
            except StartError:
                await self._child.kill()
                if attempt + 1 == _TRIES_AFTER_A_CRASH or not any(map(self._child.log_mentions, _LEFT_OVER)):
                    raise
                await asyncio.sleep(0.25)
            except BaseException:
                await self._child.kill()
                raise
            else:
                return

    async def stop(self) -> None:
        """End the server cleanly; its data stays."""
        await super().stop()
        if (address := self._socket_folder()) != self._socket:
            address.unlink(missing_ok=True)

    def _socket_folder(self) -> Path:
        """Return how clients call the socket's folder: by its path, or by a short one where that cannot be given.

        Spec: the path of a Unix socket has at most 103 bytes on macOS and 107 on Linux; libpq 32.1.1.1: a comma
        separates hosts
        """
        own = os.fsencode(self._socket)
        if len(own) + len(f"/.s.PGSQL.{_PORT}") <= _LONGEST_SOCKET_PATH and b"," not in own:
            return self._socket
        digest = hashlib.sha256(os.fsencode(self._socket)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"chargebus-socket-{os.geteuid()}-{digest}"

    def _shorten_address(self) -> None:
        address = self._socket_folder()
        if address != self._socket:
            # Put in place at once, whatever is there: in a temporary folder that fails where it is somebody else's.
            new = address.with_suffix(f".{os.getpid()}")
            new.unlink(missing_ok=True)
            new.symlink_to(self._socket)
            new.replace(address)

    def _initialise(self, account: Account, programs: Path) -> None:
        done = account.run(
            (
                str(programs / "initdb"),
                *("-D", str(account.working(self._data)), "-U", _USER, "--encoding=UTF8", "--no-locale"),
                *("--auth-local=trust", "--auth-host=reject"),
                *(("--no-sync",) if self._settings["fsync"] == "off" else ()),
            ),
            self._data,
        )
        if done.returncode != 0:
            message = f"{_NAME}'s data folder could not be made: {(done.stderr or done.stdout).strip()}"
            raise StartError(message)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url, timeout=5.0)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        await connection.close()
        return True
