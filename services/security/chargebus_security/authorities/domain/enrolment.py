"""What an EST server says, read: certificates in PKCS#7, and when to ask again. Pure.

Spec: RFC 7030, RFC 8951
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from chargebus_certificates.proof import UNREADABLE
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from chargebus_security.authorities.domain.profiles import Answer, Later, Refused, Signed, leading_up
from chargebus_security.authorities.domain.requests import SigningRequest, public_bytes

_OK = 200
_ACCEPTED = 202
_OURS = frozenset({401, 403, 404, 405, 407, 408, 429})
"""What a server says where the fault is in how it is asked: somebody mends the settings, and the request is signed."""

_TOLD = 300


def body(request: SigningRequest) -> bytes:
    """Return what is posted: the request in base64."""
    return base64.encodebytes(request.der)


def certificates(content: bytes) -> tuple[x509.Certificate, ...]:
    """Read a certs-only PKCS#7, in base64 as RFC 7030 has it, or plain as some servers send it.

    Raises:
        ValueError: it is none.
    """
    try:
        der = base64.b64decode(b"".join(content.split()), validate=True)
    except binascii.Error:
        der = content
    return tuple(pkcs7.load_der_pkcs7_certificates(der))


def enrolled(
    status: int, headers: Mapping[str, str], content: bytes, request: SigningRequest, now: datetime
) -> Answer | x509.Certificate:
    """Return what came of an enrolment: the certificate, whose chain is to be found; when to ask again; or a refusal.

    Spec: RFC 7030 4.2.3
    """
    said = f"HTTP {status}" + (f": {text}" if (text := _text(content, headers)) else "")
    if status == _ACCEPTED or status in _OURS or status >= 500:  # noqa: PLR2004 - the server's fault
        return Later(said, retry_at(headers.get("retry-after", ""), now))
    if status != _OK:
        return Refused(said)
    try:
        found = certificates(content)
    except UNREADABLE as error:
        return Later(f"it answers with no certificate: {error}")
    own = next((each for each in found if _is_for(each, request)), None)
    if own is None:
        return Later("it answers with a certificate of another key")
    return Signed(chain) if len(chain := leading_up(own, found)) > 1 else own


def chained(certificate: x509.Certificate, authorities: tuple[x509.Certificate, ...]) -> Signed:
    """Return a certificate with the intermediates that the server names beside it."""
    return Signed(leading_up(certificate, authorities))


def retry_at(header: str, now: datetime) -> datetime | None:
    """Return when to ask again: in seconds, or a date."""
    text = header.strip()
    if text.isdecimal() and len(text) < 10:  # noqa: PLR2004 - no century
        return now + timedelta(seconds=int(text))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _is_for(certificate: x509.Certificate, request: SigningRequest) -> bool:
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return False
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return False
    return public_bytes(key) == public_bytes(request.key)


def _text(content: bytes, headers: Mapping[str, str]) -> str:
    if not headers.get("content-type", "").startswith(("text/", "application/json", "application/problem+json")):
        return ""
    return " ".join(content.decode("utf-8", "replace").split())[:_TOLD]
