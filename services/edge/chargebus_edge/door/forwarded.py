"""What a proxy that ends TLS says of the connection it had, in headers; believed of trusted addresses only. Pure.

Proxies write a client's certificate in several ways, and each is told by how it looks: PEM that is percent-encoded
(nginx, AWS, Envoy within `Cert="…"`), PEM without its first and last line (Traefik), DER in base64, with colons around
it as RFC 9440 has it, or without (HAProxy).
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import unquote

from chargebus_certificates.proof import UNREADABLE
from chargebus_runtime.clock import Clock, utc_now
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from chargebus_edge.door import certificates
from chargebus_edge.door.certificates import ClientCertificate
from chargebus_edge.tls.proxy import Network, is_trusted

_VALUE: Final = r'(?:"(?:[^"\\]|\\.)*"|[^",;]*)'
_IS_ENVOY: Final = re.compile(r"\s*(?:By|Hash|Cert|Chain|Subject|URI|DNS)=", re.IGNORECASE)
_ELEMENT: Final = re.compile(rf"\s*[A-Za-z]+={_VALUE}(?:;\s*[A-Za-z]+={_VALUE})*;?\s*")
_PAIR: Final = re.compile(rf"([A-Za-z]+)=({_VALUE})")
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SECURE: Final = frozenset({"https", "wss"})
_MOST_CHARACTERS: Final = 16 * 1024

E = TypeVar("E", bound=x509.ExtensionType)


@dataclass(frozen=True)
class Forwarding:
    """Whose headers are believed, and which one has the client's certificate.

    Attributes:
        networks: in which proxies lie that end TLS, and replace what a client sent in these headers.
        certificate_header: empty: none.
        anchors: returns those that are used now.
        clock: tells the time.
    """

    networks: Sequence[Network] = ()
    certificate_header: str = ""
    anchors: Callable[[], Sequence[x509.Certificate]] = tuple
    clock: Clock = utc_now

    def believes(self, host: str) -> bool:
        """Tell whether an address may say who it comes for."""
        return is_trusted(host, self.networks)

    def certificate(self, headers: Sequence[str]) -> ClientCertificate | None:
        """Return the client's certificate, if there is one that is vouched for."""
        shown = certificate(headers)
        try:
            is_taken = shown is not None and is_vouched_for(shown, self.anchors(), self.clock())
        except UNREADABLE:  # an extension
            is_taken = False
        return shown if is_taken else None


def is_encrypted(schemes: Sequence[str]) -> bool:
    """Tell whether the headers X-Forwarded-Proto all say that TLS was spoken."""
    named = [part.strip().lower() for scheme in schemes for part in scheme.split(",")]
    return bool(named) and all(each in _SECURE for each in named)


def client(headers: Sequence[str]) -> str:
    """Return the address that the nearest proxy has added to X-Forwarded-For; empty without one."""
    host = headers[-1].rpartition(",")[2].strip().strip("[]") if headers else ""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""


def certificate(headers: Sequence[str]) -> ClientCertificate | None:
    """Return the client's certificate, None where there is none, or none that can be understood.

    More than one header with it say nothing: a proxy replaces what a client sent, or does not.
    """
    if len(headers) != 1 or not headers[0].strip() or len(headers[0]) > _MOST_CHARACTERS:
        return None
    der = _der(headers[0].strip())
    return None if der is None else certificates.read(der)


def is_vouched_for(shown: ClientCertificate, anchors: Sequence[x509.Certificate], now: datetime) -> bool:
    """Tell whether a trust anchor has signed a certificate: the proxy is to see to it, and this edge does besides.

    Those between an anchor and the certificate do not come along, so they have to be among the anchors. As in a TLS
    handshake here, a certificate that says what it is for has to be for clients.
    """
    usage = _extension(shown.leaf, x509.ExtendedKeyUsage)
    if usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        return False
    for anchor in anchors:
        if anchor.subject == shown.leaf.issuer and _may_issue(anchor, now):
            try:
                shown.leaf.verify_directly_issued_by(anchor)
            except (*UNREADABLE, InvalidSignature):
                continue
            return True
    return False


def _may_issue(anchor: x509.Certificate, now: datetime) -> bool:
    """Tell whether a certificate is that of an authority, now."""
    constraints, usage = _extension(anchor, x509.BasicConstraints), _extension(anchor, x509.KeyUsage)
    is_authority = constraints is not None and constraints.ca and (usage is None or usage.key_cert_sign)
    return is_authority and anchor.not_valid_before_utc <= now <= anchor.not_valid_after_utc


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _of_envoy(header: str) -> str | None:
    """Return the certificate of the one proxy that has written the header (X-Forwarded-Client-Cert).

    Where several have, the first ones' words may be the client's own.
    """
    if _ELEMENT.fullmatch(header) is None:
        return None
    found = [value for name, value in _PAIR.findall(header) if name.lower() == "cert"]
    return found[0].strip('"') if len(found) == 1 else None


def _der(header: str) -> bytes | None:
    text = _of_envoy(header) if _IS_ENVOY.match(header) else header
    if text is None:
        return None
    if "%" in text:
        text = unquote(text)
    pem = _PEM.search(text)
    encoded = pem[1] if pem is not None else text.strip(":").partition(",")[0]
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
