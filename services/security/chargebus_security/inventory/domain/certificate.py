"""A certificate as it is known: read from PEM, told apart by its fingerprint. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, get_args

import msgspec
from chargebus_certificates.proof import UNREADABLE
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from chargebus_security.inventory.domain.hashes import HashData, issuer_keys_of, keys_of
from chargebus_security.inventory.errors import UnreadableCertificateError

Source = Literal["uploaded", "issued", "reported"]
"""How it is known: an operator gave it, an authority issued it for us, a station says that it has it."""

RootType = Literal[
    "CSMSRootCertificate",
    "ManufacturerRootCertificate",
    "V2GRootCertificate",
    "MORootCertificate",
    "OEMRootCertificate",
]
"""What a station may use a root for. Spec: OCPP 2.1 InstallCertificateUseEnumType."""

ROOT_TYPES: Final[Sequence[RootType]] = get_args(RootType)

MOST: Final = 20
"""How many certificates are read out of one file."""

_BEGIN: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----")


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate.

    Attributes:
        certificate_id: the SHA-256 of it, in hexadecimal digits; of one that only stations told of, of its name there.
        source: how it is known.
        name: what an operator calls it.
        kind: what it is for, in OCPP's words, such as `CSMSRootCertificate`; empty: nobody said.
        pem: itself; empty where only stations told of it, and so is what stands in it.
        hash_keys: how stations may name it (`HashData.key`); empty while its issuer is not known.
        issuer_keys: what names of certificates that it has signed begin with; empty: it signs none.
        station_id: whose it is; empty: of no station.
        in_use: connections stand under it: it is never deleted from a station.
        replaced_at: since when another has taken its place.
        expiring_at: when it is told next that it runs out; None: nothing is to be told any more.
        told_days: the threshold that was told last, in days before the end.
    """

    certificate_id: str
    source: Source
    name: str = ""
    kind: str = ""
    pem: str = ""
    subject: str = ""
    issuer: str = ""
    serial_number: str = ""
    key: str = ""
    is_authority: bool = False
    is_self_signed: bool = False
    not_before: datetime | None = None
    not_after: datetime | None = None
    hash_keys: Sequence[str] = ()
    issuer_keys: Sequence[str] = ()
    station_id: str = ""
    in_use: bool = False
    added_at: datetime
    replaced_at: datetime | None = None
    expiring_at: datetime | None = None
    told_days: float | None = None

    def is_valid(self, now: datetime) -> bool:
        """Tell whether it is known to be valid now."""
        return self.not_before is not None and self.not_after is not None and self.not_before <= now <= self.not_after

    @property
    def x509(self) -> x509.Certificate | None:
        """The certificate itself, if anybody gave it."""
        return x509.load_pem_x509_certificate(self.pem.encode()) if self.pem else None


def read_pem(text: str) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, in its order.

    Raises:
        UnreadableCertificateError: there is none, one is unreadable, or there is a key.
    """
    found = [_read(number, block) for number, block in enumerate(list(_blocks(text)), 1)]
    if not found:
        raise UnreadableCertificateError("there is no certificate in it: PEM begins with -----BEGIN CERTIFICATE-----")
    return found


class _Block(NamedTuple):
    label: str
    text: str


def _blocks(text: str) -> Iterator[_Block]:
    """Yield the blocks of a PEM file; each character is looked at a few times at most, whatever they are."""
    number, at = 0, 0
    while begin := _BEGIN.search(text, at):
        number, label = number + 1, begin[1]
        if "PRIVATE KEY" in label:
            raise UnreadableCertificateError(
                "there is a private key in it: it must stay where it is; send certificates only"
            )
        if number > MOST:
            raise UnreadableCertificateError(f"there are more certificates in it: {MOST} are read at most")
        end = f"-----END {label}-----"
        ends_at = text.find(end, begin.end())
        if ends_at < 0:
            raise UnreadableCertificateError(f"there is no certificate in it, for block {number} has no end")
        at = ends_at + len(end)
        yield _Block(label, text[begin.start() : at])


def _read(number: int, block: _Block) -> x509.Certificate:
    if block.label != "CERTIFICATE":
        raise UnreadableCertificateError(f"block {number} is no certificate but a {block.label}")
    try:
        found = x509.load_pem_x509_certificate(block.text.encode())
        _ = found.subject, found.issuer, found.extensions, found.public_key()
    except UNREADABLE as error:
        raise UnreadableCertificateError(f"certificate {number} is unreadable: {error}") from error
    return found


def described(
    certificate: x509.Certificate, issuers: Iterable[x509.Certificate], source: Source, now: datetime
) -> Certificate:
    """Return what there is to say of a certificate; its issuer may be among `issuers`, or itself."""
    issuer = issuer_of(certificate, issuers)
    return Certificate(
        certificate_id=fingerprint(certificate),
        source=source,
        pem=certificate.public_bytes(Encoding.PEM).decode(),
        subject=printable(certificate.subject),
        issuer=printable(certificate.issuer),
        serial_number=f"{certificate.serial_number:x}",
        key=_key(certificate),
        is_authority=is_authority(certificate),
        is_self_signed=issuer is not None and issuer == certificate,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        hash_keys=() if issuer is None else keys_of(certificate, issuer),
        issuer_keys=issuer_keys_of(certificate) if is_authority(certificate) else (),
        added_at=now,
    )


def told_of(named: HashData, kind: str, now: datetime) -> Certificate:
    """Return what there is to say of a certificate of which only a station told."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(named.key.encode())
    return Certificate(
        certificate_id=digest.finalize().hex(),
        source="reported",
        kind=kind,
        serial_number=named.key.rpartition(":")[2],
        hash_keys=(named.key,),
        added_at=now,
    )


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate in hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def issuer_of(certificate: x509.Certificate, candidates: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """Return which of these has signed it; itself if it has, None if none has."""
    for each in (certificate, *candidates):
        try:
            certificate.verify_directly_issued_by(each)
        except (*UNREADABLE, InvalidSignature):
            continue
        return each
    return None


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate may sign others. Spec: RFC 5280 4.2.1.3, 4.2.1.9."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return certificate.version is x509.Version.v1 and certificate.subject == certificate.issuer
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return constraints.ca
    return constraints.ca and usage.key_cert_sign


def root_objection(certificate: Certificate, now: datetime) -> str:
    """Return why stations cannot be given a certificate as a root; empty if they can."""
    if not certificate.pem:
        return "only its hashes are known, from stations: upload it first"
    if not certificate.is_authority:
        return f"{certificate.subject or certificate.certificate_id} is no authority's certificate: a root is wanted"
    if certificate.not_after is not None and certificate.not_after < now:
        return f"{certificate.subject} ran out at {certificate.not_after:%Y-%m-%d %H:%M} UTC"
    return ""


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.lstrip("_").removesuffix("PublicKey")


def printable(name: x509.Name) -> str:
    """Return a name (RFC 4514) as it is kept."""
    text = name.rfc4514_string()
    return "".join(each if each.isprintable() else " " for each in text)[:1000]
