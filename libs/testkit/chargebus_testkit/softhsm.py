"""A hardware security module in software: SoftHSM, as Debian has it, for tests of keys that never leave it.

Where it is not installed, its packages are fetched and unpacked into the cache, for which nobody needs to be root.
"""

import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chargebus_embedded.jars import cache_folder

PIN: Final = "0123456789"
_PACKAGES: Final = ("libsofthsm2", "softhsm2")
_MODULE: Final = "libsofthsm2.so"
_PROGRAM: Final = "softhsm2-util"
_WITHIN_S: Final = 60
_AGAIN_AFTER_S: Final = 1800


class SoftHsmMissingError(RuntimeError):
    """It can neither be found nor fetched, or does not work; the message says why."""


@dataclass(frozen=True)
class SoftHsm:
    """A module with its own folder of tokens."""

    module: Path
    program: Path
    folder: Path

    @property
    def configuration(self) -> Path:
        """What `SOFTHSM2_CONF` has to name when the module begins."""
        return self.folder / "softhsm2.conf"

    @property
    def environment(self) -> Mapping[str, str]:
        """In what programs run that are to find it."""
        return {**os.environ, "SOFTHSM2_CONF": str(self.configuration)}

    def configure(self) -> None:
        """Write its configuration."""
        (self.folder / "tokens").mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(f"directories.tokendir = {self.folder / 'tokens'}\nlog.level = ERROR\n")

    def make_token(self, label: str, pin: str = PIN) -> None:
        """Make a token, without keys."""
        arguments = ("--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", pin)
        _run([str(self.program), *arguments, "--module", str(self.module)], self.folder, self.environment)

    def hide_tokens(self) -> None:
        """Take all tokens away, as when a device is unplugged."""
        (self.folder / "tokens").rename(self.folder / "elsewhere")
        (self.folder / "tokens").mkdir()

    def bring_tokens(self) -> None:
        """Bring back what was taken away."""
        (self.folder / "tokens").rmdir()
        (self.folder / "elsewhere").rename(self.folder / "tokens")


def soft_hsm(folder: Path) -> SoftHsm:
    """Return SoftHSM with a folder of its own, fetched where it is not here.

    Raises:
        SoftHsmMissingError: it cannot be had.
    """
    found = _installed() or _fetched()
    hsm = SoftHsm(*found, folder)
    hsm.configure()
    _run([str(hsm.program), "--show-slots", "--module", str(hsm.module)], folder, hsm.environment)
    return hsm


def _installed() -> tuple[Path, Path] | None:
    return _in(Path("/usr"))


def _in(folder: Path) -> tuple[Path, Path] | None:
    """Return module and program where both are below a folder."""
    program = folder / "bin" / _PROGRAM
    modules = [
        *folder.glob(f"lib/softhsm/{_MODULE}"),
        *folder.glob(f"lib/*/softhsm/{_MODULE}"),
        *folder.glob(f"lib64/**/{_MODULE}"),
    ]
    return (modules[0], program) if modules and program.exists() else None


def _fetched() -> tuple[Path, Path]:
    cache = cache_folder(os.environ) / "softhsm"
    cache.mkdir(parents=True, exist_ok=True)
    failure = cache / "failure"
    with _held(cache):
        found = _in(cache / "usr")
        if found is None:
            _refuse_soon_after(failure)
            try:
                found = _in(_unpacked(cache) / "usr")
            except SoftHsmMissingError as error:
                failure.write_text(str(error))
                raise
    if found is None:
        raise SoftHsmMissingError(f"the packages {', '.join(_PACKAGES)} of this machine have no {_MODULE}")
    return found


def _refuse_soon_after(failure: Path) -> None:
    """Have a whole run of tests try once only what did not work just now: it may take minutes to fail."""
    with suppress(FileNotFoundError):
        if time.time() - failure.stat().st_mtime < _AGAIN_AFTER_S:
            raise SoftHsmMissingError(failure.read_text())


def _unpacked(cache: Path) -> Path:
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        folder = Path(temporary)
        try:
            _run(["apt-get", "download", *_PACKAGES], folder)
        except SoftHsmMissingError:  # no list of packages is here, or an old one
            lists, kept = folder / "lists", folder / "cache"
            (lists / "partial").mkdir(parents=True)
            (kept / "archives" / "partial").mkdir(parents=True)
            own = ("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={kept}", "-o", "APT::Sandbox::User=")
            _run(["apt-get", *own, "update"], folder)
            _run(["apt-get", *own, "download", *_PACKAGES], folder)
        for package in sorted(folder.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(cache)], folder)
    return cache


def _run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a program.

    Raises:
        SoftHsmMissingError: there is none, or it fails.
    """
    try:
        subprocess.run(arguments, cwd=folder, env=environment, check=True, capture_output=True, timeout=_WITHIN_S)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SoftHsmMissingError(f"{arguments[0]} fails: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SoftHsmMissingError(f"{arguments[0]}: {error}") from error


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder alone: several workers may want it at the same time."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
