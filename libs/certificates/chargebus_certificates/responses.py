"""What is asked of an OCSP responder about a certificate, and what its response proves.

Spec: RFC 6960 3.2, 4.2.2.2
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from chargebus_certificates.names import CertificateName, IssuerName, issuer_named
from chargebus_certificates.proof import (
    UNREADABLE,
    NoProofError,
    Proof,
    State,
    UnknownIssuerError,
    counts_until,
    has_signed,
)

_STATES: Final[dict[ocsp.OCSPCertStatus, State]] = {
    ocsp.OCSPCertStatus.GOOD: "Good",
    ocsp.OCSPCertStatus.REVOKED: "Revoked",
    ocsp.OCSPCertStatus.UNKNOWN: "Unknown",
}


def responder(certificate: x509.Certificate) -> str | None:
    """Return where a certificate says that it may be asked about, None if it does not."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None
    for each in access:
        if each.access_method == AuthorityInformationAccessOID.OCSP and isinstance(
            each.access_location, x509.UniformResourceIdentifier
        ):
            return each.access_location.value
    return None


def request(name: CertificateName) -> bytes:
    """Return the request for the state of a certificate (DER).

    Raises:
        NoProofError: no certificate can have that name.
    """
    try:
        asked = ocsp.OCSPRequestBuilder().add_certificate_by_hash(*name.issuer, name.serial_number, name.algorithm)
        return asked.build().public_bytes(Encoding.DER)
    except (ValueError, OverflowError) as error:
        raise NoProofError(f"no certificate has such a name: {error}") from error


def read(
    der: bytes, name: CertificateName, issuers: Iterable[x509.Certificate], now: datetime, keep: timedelta
) -> Proof:
    """Return what a response proves of the certificate that is named as in the request.

    Args:
        der: the response.
        name: of the certificate.
        issuers: among whom its issuer is, unless it comes along with the response.
        now: when it shall count.
        keep: how long a response counts that does not say how long.

    Raises:
        NoProofError: it proves nothing.
    """
    try:
        response = ocsp.load_der_ocsp_response(der)
    except UNREADABLE as error:
        raise NoProofError(f"the responder answered with what is no OCSP response: {error}") from error
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise NoProofError(f"the responder refused: {response.response_status.name.lower()}")
    try:
        single = _about(response, name)
        _check_signature(response, _issuer(response, name, issuers), now)
        until = counts_until(single.this_update_utc, single.next_update_utc, now, keep)
        return Proof(_STATES[single.certificate_status], until)
    except UNREADABLE as error:
        raise NoProofError(f"the response cannot be read: {error}") from error


def _about(response: ocsp.OCSPResponse, name: CertificateName) -> ocsp.OCSPSingleResponse:
    for each in response.responses:
        if (
            each.serial_number == name.serial_number
            and each.hash_algorithm.name == name.algorithm.name
            and IssuerName(each.issuer_name_hash, each.issuer_key_hash) == name.issuer
        ):
            return each
    raise NoProofError("the response is about another certificate")


def _issuer(
    response: ocsp.OCSPResponse, name: CertificateName, issuers: Iterable[x509.Certificate]
) -> x509.Certificate:
    found = issuer_named(name, [*issuers, *response.certificates])
    if found is None:
        raise UnknownIssuerError
    return found


def _check_signature(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> None:
    """See to it that a response is signed by the issuer, or by whom it has authorized to."""
    if _has_signed(response, issuer):
        return
    for delegate in response.certificates:
        if _has_signed(response, delegate):
            _check_delegate(delegate, issuer, now)
            return
    raise NoProofError("the response is signed neither by the issuer nor by whom it names for that")


def _check_delegate(delegate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> None:
    try:
        delegate.verify_directly_issued_by(issuer)
    except (*UNREADABLE, InvalidSignature) as error:
        raise NoProofError("who signed the response has no certificate of the issuer") from error
    try:
        usage = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    if ExtendedKeyUsageOID.OCSP_SIGNING not in usage:
        raise NoProofError("who signed the response is not authorized to: its certificate lacks OCSPSigning")
    if not delegate.not_valid_before_utc <= now <= delegate.not_valid_after_utc:
        raise NoProofError("the certificate of who signed the response is not valid now")


def _has_signed(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    return has_signed(signer, response.signature, response.tbs_response_bytes, response.signature_hash_algorithm)
