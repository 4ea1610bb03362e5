"""Key and certificates of the built-in authority, in files: made where there are none, taken anew when they change.

Its key may be in a hardware security module instead (`hsm`); then there is no issuing.key.

| file | what |
|---|---|
| issuing.pem | the certificate that signs, and those above it |
| issuing.key | its key |
| root.pem | the root, which is to be trusted |
| root.key | its key, where the authority was made here: nothing reads it, it may be kept elsewhere |
"""

import fcntl
import logging
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from chargebus_certificates.proof import UNREADABLE
from chargebus_runtime.clock import Clock
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chargebus_security.authorities.domain.issuing import AuthorityFilesError, Issuer, PrivateKey, checked, made
from chargebus_security.authorities.domain.profiles import pem
from chargebus_security.authorities.operations.hsm import Hsm, HsmError

log = logging.getLogger(__name__)

_CERTIFICATES: Final = "issuing.pem"
_KEY: Final = "issuing.key"

_Stamp = tuple[tuple[int, int, int], ...]


class AuthorityFiles:
    """The files in a folder; `organization` is whose authority is made where there is none, `url` where it is asked.

    `hsm` has its key; None: that is in a file, too. It may be away: then the authority is taken when it is there again.
    """

    def __init__(self, folder: Path, organization: str, url: str, clock: Clock, hsm: Hsm | None = None) -> None:
        self._folder = folder
        self._organization = organization
        self._url = url
        self._clock = clock
        self._hsm = hsm
        self._taken: Issuer | None = None
        self._busy = threading.Lock()
        self._stamp: _Stamp = ()

    def open(self) -> None:
        """Make an authority where there is none, and take it.

        Raises:
            AuthorityFilesError: what is there cannot be used.
        """
        try:
            self._taken = self._there()
        except HsmError:  # which has said so, and is asked again
            self._taken = None

    def issuer(self) -> Issuer:
        """Return the authority as its files are by now; where they cannot be used, as they were.

        It may take long, where its key is in a module: not for the event loop.

        Raises:
            AuthorityFilesError: they could not be used yet.
        """
        with self._busy:
            return self._newest()

    @property
    def have_changed(self) -> bool:
        """Whether the files are others than those that were taken; it is not asked long, and the module not at all."""
        return self._taken is not None and self._stamped() != self._stamp

    def certificates(self) -> tuple[x509.Certificate, ...]:
        """Return its own certificates, the root last: of the files, where its key is away; none, where none are."""
        if self._taken is not None:
            return (self._taken.certificate, *self._taken.above)
        try:
            own = x509.load_pem_x509_certificates((self._folder / _CERTIFICATES).read_bytes())
            return (own[0], *self._above(own))
        except (OSError, *UNREADABLE):
            return ()

    def _there(self) -> Issuer:
        if not (self._folder / _CERTIFICATES).exists():
            self._make(self._clock())
        self._stamp = self._stamped()
        return self._read()

    def _newest(self) -> Issuer:
        if self._taken is None:
            self._taken = self._there()
            return self._taken
        stamp = self._stamped()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._taken = self._read()
                log.info("the authority in %s was taken anew", self._folder)
            except AuthorityFilesError as error:
                log.error("the authority in %s goes on as it was: %s", self._folder, error)
        return self._taken

    def _read(self) -> Issuer:
        try:
            certificates = x509.load_pem_x509_certificates((self._folder / _CERTIFICATES).read_bytes())
            key = self._key_of(certificates[0])
            return checked(Issuer(key, certificates[0], self._above(certificates), self._url), self._clock())
        except AuthorityFilesError:
            raise
        except (OSError, *UNREADABLE) as error:
            raise AuthorityFilesError(f"{error}") from error

    def _above(self, certificates: list[x509.Certificate]) -> tuple[x509.Certificate, ...]:
        """Return those above the first, with the root of a file of its own if they lack it."""
        root, last = self._folder / "root.pem", certificates[-1]
        if last.issuer == last.subject or not root.exists():
            return tuple(certificates[1:])
        return (*certificates[1:], *x509.load_pem_x509_certificates(root.read_bytes()))

    def _key_of(self, certificate: x509.Certificate) -> PrivateKey:
        if self._hsm is None:
            return self._private_key(self._folder / _KEY)
        public = certificate.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise AuthorityFilesError(f"the key of {self._folder / _CERTIFICATES} is neither ECDSA nor RSA")
        return self._hsm.key_of(public)

    def _private_key(self, file: Path) -> PrivateKey:
        if stat.S_IMODE(file.stat().st_mode) & stat.S_IRWXO:
            raise AuthorityFilesError(f"{file} may be read by everybody: chmod 600 {file}")
        key = serialization.load_pem_private_key(file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise AuthorityFilesError(f"{file} has neither an ECDSA nor an RSA key")
        return key

    def _stamped(self) -> _Stamp:
        files = (self._folder / _CERTIFICATES, self._folder / _KEY, self._folder / "root.pem")
        return tuple(
            (state.st_mtime_ns, state.st_size, state.st_ino) for file in files if (state := _state(file)) is not None
        )

    def _make(self, now: datetime) -> None:
        """Make an authority, in a folder that may be there: by one of several processes that start together."""
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with _held(self._folder):
                if not (self._folder / _CERTIFICATES).exists():
                    self._write_new(now)
        except OSError as error:
            raise AuthorityFilesError(f"no authority can be made in {self._folder}: {error}") from error

    def _write_new(self, now: datetime) -> None:
        """Write key and certificates, those that sign last: without them nothing is there."""
        for left in (_KEY, "root.key", "root.pem"):
            if (self._folder / left).exists():
                raise AuthorityFilesError(
                    f"{self._folder} has {left}, but not {_CERTIFICATES}: put that beside it, or take it away"
                )
        issuer, root_key = made(self._organization, now, None if self._hsm is None else self._hsm.made_key())
        if self._hsm is None:
            _write(self._folder / _KEY, _key_pem(issuer.key), 0o600)
        _write(self._folder / "root.key", _key_pem(root_key), 0o600)
        _write(self._folder / "root.pem", pem(issuer.root), 0o644)
        _write(self._folder / _CERTIFICATES, pem(issuer.certificate) + pem(issuer.root), 0o644)
        log.warning("an authority was made in %s: keep root.key elsewhere", self._folder)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder alone, and have its entries on the disk afterwards; a process that is killed lets go of it."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
        os.fsync(held)
    finally:
        os.close(held)


def _state(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None


def _write(file: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def _key_pem(key: PrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
