"""The built-in authority: certificates, revocation lists and OCSP answers that its key signs. Pure.

Spec: RFC 5280, RFC 6960
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from chargebus_security.authorities.domain.profiles import STATION, Profile
from chargebus_security.authorities.domain.requests import PublicKey, SigningRequest, public_bytes

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

CLOCKS_DIFFER: Final = timedelta(hours=1)
"""How far stations' clocks may be behind: so long ago certificates begin."""

ROOT_FOR: Final = timedelta(days=20 * 365)
ISSUING_FOR: Final = timedelta(days=10 * 365)
CRL_FOR: Final = timedelta(days=1)
OCSP_FOR: Final = timedelta(hours=1)

_DOMAIN: Final = "CPO"

REASONS: Final = {
    "unspecified": x509.ReasonFlags.unspecified,
    "key_compromise": x509.ReasonFlags.key_compromise,
    "affiliation_changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation_of_operation": x509.ReasonFlags.cessation_of_operation,
    "privilege_withdrawn": x509.ReasonFlags.privilege_withdrawn,
}


class AuthorityFilesError(ValueError):
    """Key and certificates of the authority cannot be used; the message says why."""


class UnreadableOcspError(ValueError):
    """It is no OCSP request."""


@dataclass(frozen=True)
class Revocation:
    """A certificate that counts no more."""

    serial_number: int
    at: datetime
    reason: str


@dataclass(frozen=True)
class Issuer:
    """Who signs: a key, its certificate, and the certificates above that, the root last.

    `url` is where its certificate, its revocation list and its OCSP are found; empty: certificates name nothing.
    """

    key: PrivateKey
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...]
    url: str = ""

    @property
    def root(self) -> x509.Certificate:
        """Which stations and edges are to trust."""
        return (self.certificate, *self.above)[-1]

    @property
    def intermediates(self) -> tuple[x509.Certificate, ...]:
        """What goes with a certificate that it signs: all but a root."""
        return tuple(each for each in (self.certificate, *self.above) if each.issuer != each.subject)

    @property
    def public_key(self) -> PublicKey:
        """Its public key."""
        return self.key.public_key()


def checked(issuer: Issuer, now: datetime) -> Issuer:
    """Return an issuer whose key fits its certificate, which is an authority's and in its time.

    Raises:
        AuthorityFilesError: it is not so.
    """
    certificate, key = issuer.certificate, issuer.certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise AuthorityFilesError("its key is neither ECDSA nor RSA")
    if public_bytes(key) != public_bytes(issuer.public_key):
        raise AuthorityFilesError("the key does not fit the certificate")
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        constraints = None
    if constraints is None or not constraints.ca:
        raise AuthorityFilesError("the certificate is not an authority's")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise AuthorityFilesError(
            f"the certificate is valid from {certificate.not_valid_before_utc} to {certificate.not_valid_after_utc}"
        )
    return issuer


def made(organization: str, now: datetime, key: PrivateKey | None = None) -> tuple[Issuer, PrivateKey]:
    """Return a new authority, and the key of its root, which signs nothing but the authority's own certificate.

    `key` is what the authority signs with; None: a new one.
    """
    root_key, key = ec.generate_private_key(ec.SECP384R1()), key or ec.generate_private_key(ec.SECP256R1())
    root_name, own_name = _authority_name("Root CA", organization), _authority_name("Issuing CA", organization)
    root = _authority(_Names(root_name, root_name), root_key, root_key.public_key(), now, ROOT_FOR, below=1)
    own = _authority(_Names(own_name, root_name), root_key, key.public_key(), now, ISSUING_FOR, below=0)
    return Issuer(key, own, (root,)), root_key


def issue(issuer: Issuer, request: SigningRequest, profile: Profile, now: datetime) -> x509.Certificate:
    """Return the certificate for a request that was checked: of what it says, nothing but names and key counts.

    Spec: OCPP 2.0.1 A00.FR.507 to A00.FR.511
    """
    ends_at = min(now + profile.valid, issuer.certificate.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(request, profile))
        .issuer_name(issuer.certificate.subject)
        .public_key(request.key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(ends_at)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(request.key), critical=True)
        .add_extension(x509.ExtendedKeyUsage(profile.uses), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key), critical=False)
    )
    if issuer.url:
        builder = _with_addresses(builder, issuer.url)
    return builder.sign(issuer.key, _hash(issuer.key))


def _subject(request: SigningRequest, profile: Profile) -> x509.Name:
    """Return who is certified: common name and organization, towards vehicles with the domain that they ask for.

    Spec: ISO 15118-2 annex F (DC=CPO)
    """
    domain = _DOMAIN if request.domain == _DOMAIN and profile.certificate_type != STATION else ""
    parts = (
        (NameOID.COMMON_NAME, request.common_name),
        (NameOID.ORGANIZATION_NAME, request.organization),
        (NameOID.DOMAIN_COMPONENT, domain),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


def revocation_list(issuer: Issuer, revoked: Iterable[Revocation], now: datetime) -> bytes:
    """Return the list of what was revoked, in DER."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now - timedelta(minutes=5))
        .next_update(now + CRL_FOR)
        .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key), critical=False)
    )
    for each in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(each.serial_number)
            .revocation_date(each.at)
            .add_extension(x509.CRLReason(REASONS[each.reason]), critical=False)
            .build()
        )
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer.key, _hash(issuer.key)).public_bytes(serialization.Encoding.DER)


def asked_about(der: bytes) -> ocsp.OCSPRequest:
    """Read an OCSP request.

    Raises:
        UnreadableOcspError: it is none, or asks about several certificates at once.
    """
    try:
        request = ocsp.load_der_ocsp_request(der)
        _ = request.serial_number, request.hash_algorithm, [*request.extensions]
    except Exception as error:
        raise UnreadableOcspError(f"it is no OCSP request for one certificate: {error}") from error
    return request


def is_about(issuer: x509.Certificate, request: ocsp.OCSPRequest) -> bool:
    """Tell whether a request is about what an issuer issues."""
    own = ocsp.OCSPRequestBuilder().add_certificate(issuer, issuer, request.hash_algorithm)
    return own.build().issuer_key_hash == request.issuer_key_hash


def ocsp_answer(
    issuer: Issuer, request: ocsp.OCSPRequest, find: Callable[[], tuple[bool, Revocation | None]], now: datetime
) -> bytes:
    """Return the answer to an OCSP request, in DER; `find` tells whether the certificate is known, and revoked."""
    known, revoked = find()
    good = ocsp.OCSPCertStatus.GOOD if known else ocsp.OCSPCertStatus.UNKNOWN
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response_by_hash(
            request.issuer_name_hash,
            request.issuer_key_hash,
            request.serial_number,
            request.hash_algorithm,
            good if revoked is None else ocsp.OCSPCertStatus.REVOKED,
            now,
            now + OCSP_FOR,
            None if revoked is None else revoked.at,
            None if revoked is None else REASONS[revoked.reason],
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
    )
    nonce = next((each.value for each in request.extensions if isinstance(each.value, x509.OCSPNonce)), None)
    if nonce is not None:
        builder = builder.add_extension(nonce, critical=False)
    return builder.sign(issuer.key, _hash(issuer.key)).public_bytes(serialization.Encoding.DER)


def not_ours() -> bytes:
    """Return the answer to an OCSP request about somebody else's certificate, in DER."""
    return _unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)


def try_later() -> bytes:
    """Return the answer to an OCSP request that cannot be answered now, in DER."""
    return _unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)


def malformed() -> bytes:
    """Return the answer to what is no OCSP request, in DER."""
    return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True)
class _Names:
    subject: x509.Name
    issuer: x509.Name


def _authority_name(what: str, organization: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{organization} {what}"[:64]),
        ]
    )


def _authority(  # noqa: PLR0913 - what a certificate consists of
    names: _Names, signer: PrivateKey, key: PublicKey, now: datetime, valid: timedelta, *, below: int
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(names.subject)
        .issuer_name(names.issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now + valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
        .add_extension(_usage(None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, _hash(signer))
    )


def _usage(key: PublicKey | None) -> x509.KeyUsage:
    """Return what a key may be used for; None: an authority's."""
    signs = key is None
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=isinstance(key, rsa.RSAPublicKey),
        data_encipherment=False,
        key_agreement=isinstance(key, ec.EllipticCurvePublicKey),
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _with_addresses(builder: x509.CertificateBuilder, url: str) -> x509.CertificateBuilder:
    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(f"{url}/ocsp")),
            x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(f"{url}/issuing.cer")
            ),
        ]
    )
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(f"{url}/issuing.crl")], None, None, None)
    return builder.add_extension(access, critical=False).add_extension(
        x509.CRLDistributionPoints([point]), critical=False
    )


def _hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    strong = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 256  # noqa: PLR2004 - P-256
    return hashes.SHA384() if strong else hashes.SHA256()
