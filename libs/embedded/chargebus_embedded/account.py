"""The account that PostgreSQL runs as: PostgreSQL refuses root, so root lends it another one."""

import os
import pwd
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chargebus_embedded.errors import EmbeddedError

# An account that every system has. It owns the data folder (mode 0700) and nothing else is created for it.
_NAME = "nobody"

# Lets that account read and pass folders such as root's home, where the wheel and the data may lie, so that no folder's
# permissions have to be widened for it.
_CAPABILITIES = "-all,+dac_read_search"


@dataclass(frozen=True)
class Account:
    """Who runs PostgreSQL: `prefix` goes in front of each of its command lines; `uid` None means ourselves."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int = 0

    def own(self, folder: Path) -> None:
        """Make `folder` (which need not exist) the account's, closed to others."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.uid is not None:
            os.chown(folder, self.uid, self.gid)


def postgres_account() -> Account:
    """Return ourselves, or the account that stands in for root.

    Raises:
        EmbeddedError: we are root, and this system has no way to lend PostgreSQL another account.
    """
    if os.geteuid() != 0:
        return Account()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        message = (
            "PostgreSQL refuses to run as root, and this system lacks setpriv (util-linux): "
            "start as an ordinary user, or give a PostgreSQL with DATABASE_URL"
        )
        raise EmbeddedError(message)
    entry = pwd.getpwnam(_NAME)
    prefix = (
        setpriv,
        f"--reuid={entry.pw_uid}",
        f"--regid={entry.pw_gid}",
        "--clear-groups",
        f"--inh-caps={_CAPABILITIES}",
        f"--ambient-caps={_CAPABILITIES}",
        "--",
    )
    return Account(prefix, entry.pw_uid, entry.pw_gid)


def plain_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the PG… settings of whoever starts us, which PostgreSQL's programs would obey."""
    return {name: value for name, value in environment.items() if not name.startswith("PG")}
