"""The data folder of an embedded system: whose it is, which version, and that only one system uses it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chargebus_cli.errors import CommandError

# Raised when what an embedded server keeps in the folder can no longer be read (another major PostgreSQL, say).
VERSION = "1"


@dataclass(frozen=True)
class DataFolder:
    """Where an embedded system keeps everything."""

    path: Path

    @property
    def kafka(self) -> Path:
        """Kafka's log and its log file."""
        return self.path / "kafka"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data and its log file."""
        return self.path / "postgres"

    @property
    def admin_key(self) -> Path:
        """The generated admin API key."""
        return self.path / "admin-key"

    @property
    def sealing_keys(self) -> Path:
        """The generated key that secrets are sealed with between services."""
        return self.path / "sealing-keys"

    @property
    def objects(self) -> Path:
        """The files that services keep."""
        return self.path / "objects"

    @property
    def demo(self) -> Path:
        """What the simulated stations keep: their passwords and meters."""
        return self.path / "demo"

    @property
    def pki(self) -> Path:
        """The certificates of edge, built-in authority and simulated stations."""
        return self.path / "pki"

    @property
    def log(self) -> Path:
        """What the services log."""
        return self.path / "chargebus.log"


@contextmanager
def open_folder(path: Path) -> Iterator[DataFolder]:
    """Make or take the folder, for as long as the context lasts.

    Raises:
        CommandError: another system uses it, it is of another version, or it holds something else.
    """
    _claim(path)
    with (path / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            message = f"the data folder {path} is in use by another Chargebus (process {lock.read().strip() or '?'})"
            raise CommandError(message) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield DataFolder(path)


def _claim(path: Path) -> None:
    """Make a new folder ours, or check that it is."""
    marker = path / "version"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not marker.exists():
            if any(path.iterdir()):
                message = f"{path} is not a data folder of Chargebus and not empty: name another one (DATA=...)"
                raise CommandError(message)
            marker.write_text(f"{VERSION}\n")
        found = marker.read_text().strip()
    except OSError as error:
        message = f"the data folder {path} cannot be used: {error.strerror}"
        raise CommandError(message) from error
    if found != VERSION:
        message = (
            f"the data folder {path} is of version {found}, this Chargebus works with version {VERSION}: "
            "name another one (DATA=...), or move it away to start anew"
        )
        raise CommandError(message)
