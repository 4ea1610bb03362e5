"""Certificate revocation lists from files, and what all of them say of a certificate."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from chargebus_certificates import lists
from chargebus_certificates.lists import RevocationList
from chargebus_certificates.proof import NoProofError
from cryptography import x509

from chargebus_edge.tls.files import TlsFilesError, read

_KEEP: Final = timedelta(days=1)
"""How long a list counts that does not say how long: it is looked into anew each time, so any time will do."""


class RevocationLists:
    """The lists of all files."""

    def __init__(self, lists: Iterable[RevocationList] = ()) -> None:
        self._lists = tuple(lists)

    def revoked(self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool | None:
        """Tell whether a certificate was revoked by its issuer; None where no list that counts says so."""
        told: bool | None = None
        for each in self._lists:
            if not each.is_of(issuer):
                continue
            try:
                state = each.proof(certificate.serial_number, now, _KEEP).state
            except NoProofError:  # it is old, or not yet for now
                continue
            if state == "Revoked":
                return True
            told = False if each.covers(certificate) else told
        return told


def load(paths: Iterable[Path]) -> RevocationLists:
    """Read files with one list each, in PEM or DER.

    Raises:
        TlsFilesError: one is none, or holds a part of what its issuer has revoked only.
    """
    return RevocationLists(_load(path) for path in paths)


def _load(path: Path) -> RevocationList:
    try:
        return lists.read(read(path))
    except NoProofError as error:
        raise TlsFilesError(f"the revocation list in {path} cannot be used: {error}") from error
