"""Whether a contract certificate comes from whom one trusts, by its chain. Pure.

A vehicle shows its certificate and those of the authorities between it and a root; some show the root, too, some
stations pass only the first on. So a path is looked for, among what is shown and what is known, that ends at a root
that is trusted.

Spec: RFC 5280 6.1; ISO 15118-2 Annex F, ISO 15118-20 Annex B (profiles of contract certificates); OCPP 2.0.1 C07
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal, TypeVar

import msgspec
from chargebus_certificates.proof import UNREADABLE
from chargebus_ocppj.emaids import contract_of
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from chargebus_security.contracts.errors import RefusedContractError
from chargebus_security.inventory.domain.certificate import is_authority, printable
from chargebus_security.inventory.domain.hashes import HashData, issuer_keys_of

CertificateStatus = Literal[
    "Accepted",
    "SignatureError",
    "CertificateExpired",
    "CertificateRevoked",
    "NoCertificateAvailable",
    "CertChainError",
    "ContractCancelled",
]
"""Spec: OCPP 2.0.1 and 2.1 AuthorizeCertificateStatusEnumType."""

_LONGEST: Final = 6
"""How many certificates a path has at most, with its root; those of ISO 15118 have four."""

_MOST_STEPS: Final = 32
"""How many signatures are checked for one chain, whatever it is made of."""

_WEAK: Final = (hashes.MD5, hashes.SHA1)
_SMALLEST_RSA: Final = 2048
_SMALLEST_EC: Final = 256
_PROVIDER: Final = "MO"
_USES: Final = (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.CLIENT_AUTH)
"""What a contract certificate may be for, where it says so at all; others serve, or sign code or answers."""
_UNDERSTOOD: Final = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}
"""What may be critical. Spec: RFC 5280 4.2: who does not process a critical extension refuses the certificate"""

_E = TypeVar("_E", x509.KeyUsage, x509.ExtendedKeyUsage, x509.BasicConstraints)

Path = Sequence[x509.Certificate]
"""From the contract certificate to a root, each signed by the next."""


class Authorities(msgspec.Struct, frozen=True):
    """Who may have signed.

    Attributes:
        anchors: roots that are trusted for contracts.
        known: authorities that are merely known.
        shared: which of the roots are there for others than providers of contracts, too.
    """

    anchors: Sequence[x509.Certificate] = ()
    known: Sequence[x509.Certificate] = ()
    shared: Sequence[x509.Certificate] = ()


def find_path(shown: Sequence[x509.Certificate], authorities: Authorities, now: datetime) -> Path:
    """Return the path from the first certificate that is shown to a root that is trusted.

    Raises:
        RefusedContractError: there is none, or one of its certificates is not valid, or may not be used so.
    """
    leaf, *others = shown
    objection = None
    between = [each for each in (*others, *authorities.known) if is_authority(each)]
    for path in _paths(leaf, between, authorities.anchors):
        found = _objection(path, now) or _stray(path, authorities.shared)
        if found is None:
            return path
        objection = objection or found
    raise objection or _no_path(leaf, [*between, *authorities.anchors])


def find_issuers(named: HashData, authorities: Authorities, now: datetime) -> Path:
    """Return the path from who has issued the certificate that is named so to a root that is trusted.

    Raises:
        RefusedContractError: its issuer is not known, or leads to no such root.
    """
    objection = None
    known = [each for each in authorities.known if is_authority(each)]
    for issuer in (*authorities.anchors, *known):
        if named.issuer_key not in _issuer_keys(issuer):
            continue
        paths = [[issuer]] if issuer in authorities.anchors else _paths(issuer, known, authorities.anchors)
        for path in paths:
            found = _objection(path, now, deepest=1) or _stray(path, authorities.shared)
            if found is None:
                return path
            objection = objection or found
    raise objection or RefusedContractError(
        "CertChainError",
        "a certificate is told by hashes whose issuer is not known here under a root that is trusted for contracts: "
        "send it to POST /v1/certificates",
    )


@lru_cache(maxsize=1024)
def _issuer_keys(issuer: x509.Certificate) -> frozenset[str]:
    return frozenset(issuer_keys_of(issuer))


def check_name(leaf: x509.Certificate, emaid: str) -> None:
    """See to it that a contract certificate is that of an eMAID; neither hyphens nor check digits matter.

    Raises:
        RefusedContractError: it is another's.

    Spec: OCPP 2.0.1 C07.FR.01: the idToken is the eMAID of the contract certificate
    """
    names = [str(each.value) for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if contract_of(emaid).upper() not in [contract_of(each).upper() for each in names]:
        told = printable(leaf.subject)[:200]
        raise RefusedContractError("CertChainError", f"the certificate is not of the idToken's eMAID, but of {told}")


def _paths(leaf: x509.Certificate, between: Path, anchors: Path) -> Iterator[Path]:
    """Yield the paths from a certificate to an anchor; those without detours first."""
    steps = 0
    open_paths: list[list[x509.Certificate]] = [[leaf]]
    while open_paths:
        path = open_paths.pop(0)
        for issuer in (*anchors, *between):
            if issuer in path or path[-1].issuer != issuer.subject:
                continue
            steps += 1
            if steps > _MOST_STEPS:
                return
            if not _has_signed(issuer, path[-1]):
                continue
            if issuer in anchors:
                yield [*path, issuer]
            elif len(path) < _LONGEST - 1:
                open_paths.append([*path, issuer])


def _no_path(leaf: x509.Certificate, candidates: Iterable[x509.Certificate]) -> RefusedContractError:
    named = [each for each in candidates if each.subject == leaf.issuer]
    if named and not any(_has_signed(each, leaf) for each in named):
        return RefusedContractError("SignatureError", "the certificate is not signed by the issuer that it names")
    return RefusedContractError("CertChainError", "the chain leads to no root that is trusted for contracts")


def _has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def _objection(path: Path, now: datetime, deepest: int = 0) -> RefusedContractError | None:
    """Return why a path does not count; `deepest` is how many certificates stand below its first one."""
    for below, certificate in enumerate(path, deepest):
        why = _unfit(certificate, below)
        if why:
            return RefusedContractError("CertChainError", f"{printable(certificate.subject)[:200]} {why}")
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            when = f"from {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
            told = f"{printable(certificate.subject)[:200]} is valid {when}"
            return RefusedContractError("CertificateExpired", told)
    return None


def _stray(path: Path, shared: Sequence[x509.Certificate]) -> RefusedContractError | None:
    """Return why a path below a root that others stand under, too, is none of a contract's.

    Spec: ISO 15118-2 Annex F: providers' certificates below a V2G root have the domain component `MO`
    """
    *below, root = path
    if root not in shared or any(_is_provider(each) for each in below):
        return None
    told = (
        f"below {printable(root.subject)[:200]} only certificates with the domain component {_PROVIDER} are contracts"
    )
    return RefusedContractError("CertChainError", told)


def _is_provider(certificate: x509.Certificate) -> bool:
    components = certificate.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)
    return any(str(each.value).upper() == _PROVIDER for each in components)


def _unfit(certificate: x509.Certificate, below: int) -> str:
    """Return why a certificate may not stand where it does, with so many below it; empty if it may."""
    key = certificate.public_key()
    if not isinstance(
        key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    ):
        return "has a key of a kind that is not taken"
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _SMALLEST_RSA:
        return f"has an RSA key of {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < _SMALLEST_EC:
        return f"has an elliptic key of {key.key_size} bits"
    if isinstance(certificate.signature_hash_algorithm, _WEAK):
        return "is signed by a hash that is broken"
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            return f"has a critical extension that is not understood ({extension.oid.dotted_string})"
    return _unfit_authority(certificate, below) if below else _unfit_leaf(certificate)


def _unfit_leaf(certificate: x509.Certificate) -> str:
    if is_authority(certificate):
        return "is an authority's, and no contract certificate"
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    if extended is not None and not any(each in extended for each in _USES):
        return "is for other uses than a contract's"
    usage = _extension(certificate, x509.KeyUsage)
    return "may not be used to sign" if usage is not None and not usage.digital_signature else ""


def _unfit_authority(certificate: x509.Certificate, below: int) -> str:
    if not is_authority(certificate):
        return "has signed, and is no authority's"
    constraints = _extension(certificate, x509.BasicConstraints)
    most = None if constraints is None else constraints.path_length
    return "" if most is None or below - 1 <= most else f"may have {most} authorities below it, and has {below - 1}"


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
