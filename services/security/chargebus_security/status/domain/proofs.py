"""What comes of a question by the answer of a responder, or by a list of revoked certificates. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from chargebus_certificates import responses
from chargebus_certificates.lists import RevocationList
from chargebus_certificates.names import CertificateName, issuer_named
from chargebus_certificates.proof import NoProofError, UnknownIssuerError
from cryptography import x509

from chargebus_security.inventory.domain.hashes import HashData
from chargebus_security.status.domain.asked import Found, Question

UNKNOWN_FOR: Final = timedelta(minutes=5)
"""How long it counts at most that a responder does not know a certificate: it may have been issued just now."""


def request(named: HashData) -> bytes:
    """Return the request for the status of a certificate (DER).

    Raises:
        NoProofError: the certificate is named by something that is no hash, or no serial number.
    """
    return responses.request(_name(named))


def of_response(
    der: bytes, named: HashData, known: Sequence[x509.Certificate], now: datetime, keep: timedelta
) -> Found:
    """Return what an OCSP response proves; one that does not say until when counts for `keep`.

    Raises:
        NoProofError: it proves nothing.
    """
    try:
        proof = responses.read(der, _name(named), known, now, keep)
    except UnknownIssuerError as error:
        raise _unknown(error) from error
    until = min(proof.until, now + UNKNOWN_FOR) if proof.state == "Unknown" else proof.until
    return Found(proof.state, now, until, der)


def of_list(
    revoked: RevocationList, asked: Question, known: Sequence[x509.Certificate], now: datetime, keep: timedelta
) -> Found:
    """Return what a list of revoked certificates proves; one that does not say until when counts for `keep`.

    The URLs of the question are those where the certificate says that its lists are: one that is for certificates
    with others says nothing of it.

    Raises:
        NoProofError: it proves nothing.
    """
    name = _name(asked.named)
    issuer = issuer_named(name, known)
    if issuer is None:
        raise _unknown(UnknownIssuerError())
    if not revoked.is_of(issuer):
        raise NoProofError("the list is not signed by the certificate's issuer")
    if name.serial_number not in revoked.serials and not revoked.is_at(asked.urls):
        raise NoProofError("the list is for other certificates, by its IssuingDistributionPoint")
    proof = revoked.proof(name.serial_number, now, keep)
    return Found(proof.state, now, proof.until)


def _name(named: HashData) -> CertificateName:
    try:
        return named.name
    except ValueError as error:
        raise NoProofError(f"the station names no certificate: {error}") from error


def _unknown(error: UnknownIssuerError) -> NoProofError:
    return NoProofError(f"{error}: send it to POST /v1/certificates")
