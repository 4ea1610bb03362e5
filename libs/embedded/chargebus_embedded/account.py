"""The account that PostgreSQL runs as: PostgreSQL refuses root, so root lends it another one.

That account may be unable to enter the folders on the way to the data, such as root's home. Nobody's permissions are
widened for it: a process may work in its own folder wherever that lies, as long as it starts there and is told no path
from the root.
"""

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chargebus_embedded.errors import EmbeddedError

# An account that every system has. It owns PostgreSQL's folder and nothing else is created for it.
_NAME = "nobody"

INSTEAD = "start as an ordinary user, or give a PostgreSQL with DATABASE_URL"
"""What else can be done where root cannot run PostgreSQL."""

# The folder that a process works in, without the way to it. (Linux only; PostgreSQL makes every other path absolute.)
_HERE = Path("/proc/self/cwd")


@dataclass(frozen=True)
class Account:
    """Who runs PostgreSQL; `uid` None means ourselves."""

    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> Sequence[int] | None:
        """Its further groups: none of ours."""
        return None if self.uid is None else ()

    def own(self, folder: Path) -> None:
        """Make `folder` (which need not exist) the account's; a new one is closed to others.

        Raises:
            EmbeddedError: this system does not let root give it away.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.uid is None:
            return
        try:
            os.chown(folder, self.uid, -1 if self.gid is None else self.gid)
        except OSError as error:
            message = (
                f"{folder} cannot be given to {_NAME}, which runs PostgreSQL for root ({error.strerror}): {INSTEAD}"
            )
            raise EmbeddedError(message) from error

    def working(self, folder: Path) -> Path:
        """Return how a process of the account calls `folder` when it was started there."""
        return folder if self.uid is None or not _HERE.exists() else _HERE

    def run(self, arguments: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
        """Run a program in `folder` as the account, to its end.

        Raises:
            OSError: it cannot be run, as the account may not reach it, for one.
        """
        return subprocess.run(
            arguments,
            cwd=folder,
            env=plain_environment(os.environ),
            capture_output=True,
            text=True,
            check=False,
            user=self.uid,
            group=self.gid,
            extra_groups=self.groups,
        )


OURSELVES = Account()


def postgres_account() -> Account:
    """Return ourselves, or the account that stands in for root.

    Raises:
        EmbeddedError: we are root, and this system has no such account.
    """
    if os.geteuid() != 0:
        return OURSELVES
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError as error:
        message = f"PostgreSQL refuses to run as root, and this system has no account {_NAME}: {INSTEAD}"
        raise EmbeddedError(message) from error
    return Account(entry.pw_uid, entry.pw_gid)


def plain_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the PG… settings of whoever starts us, which PostgreSQL's programs would obey."""
    return {name: value for name, value in environment.items() if not name.startswith("PG")}
