"""The files that TLS is made of, and whether they have changed."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

Signature = tuple[tuple[int, int, int] | None, ...]
"""Of each file what changes with it, None where it cannot be looked at."""


class TlsFilesError(ValueError):
    """What is in the files cannot be used; the message is one line that says which file, and why."""


@dataclass(frozen=True)
class TlsFiles:
    """Where certificates, keys and trust anchors are.

    Attributes:
        certificates: each the server's certificate and then its chain, in PEM; one for each kind of key.
        keys: the key of each, in the same order; none where they stand in the certificates' files.
        client_ca: trust anchors for client certificates, and intermediate ones; none: no client is asked for one.
        revocation_lists: CRLs, in PEM or DER.
        serves: TLS is spoken here, and not only by what stands in front; without it there need be no certificate.
    """

    certificates: tuple[Path, ...]
    keys: tuple[Path, ...] = ()
    client_ca: tuple[Path, ...] = ()
    revocation_lists: tuple[Path, ...] = ()
    serves: bool = True

    @property
    def pairs(self) -> tuple[tuple[Path, Path], ...]:
        """Each certificate's file with its key's.

        Raises:
            TlsFilesError: there are fewer or more keys than certificates, or there is no certificate.
        """
        if not self.serves:
            return ()
        if not self.certificates:
            raise TlsFilesError("TLS needs a certificate: set EDGE_TLS_CERTIFICATES and EDGE_TLS_KEYS")
        if self.keys and len(self.keys) != len(self.certificates):
            raise TlsFilesError(
                f"EDGE_TLS_CERTIFICATES names {len(self.certificates)} files and EDGE_TLS_KEYS {len(self.keys)}: each "
                "certificate needs its key, in the same order"
            )
        return tuple(zip(self.certificates, self.keys or self.certificates, strict=True))

    def signature(self) -> Signature:
        """Return what is another as soon as a file is changed or replaced, or a link points elsewhere."""
        named = {*self.certificates, *self.keys, *self.client_ca, *self.revocation_lists}
        return tuple(_signature(path) for path in sorted(named))


def look_through(certificate: x509.Certificate) -> None:
    """Look at the names, the key and the times of a certificate, so that it can be relied on later.

    Raises:
        UNREADABLE: a part of it cannot be understood.
    """
    certificate.public_key()
    for name in (certificate.subject, certificate.issuer):
        name.rfc4514_string()
    certificate.not_valid_before_utc, certificate.not_valid_after_utc  # noqa: B018 - they are decoded


def read(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        TlsFilesError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsFilesError(f"{path} cannot be read ({error.strerror})") from error


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
