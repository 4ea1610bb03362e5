"""The certificates of one system on one machine: a root, and what stations, edge, authority and contracts have below.

They are made at the first start, kept, and made anew at a start before which they would soon have ended.

| file | what |
|---|---|
| root.pem, root.key | the root, which stations and edge trust; it signs the edge's certificate and the authority's |
| issuing.pem, issuing.key | with these the built-in authority of `security` signs, as it finds them in its folder |
| edge.pem | the edge's certificate and its key |
| station.pem | the certificate, with its chain and key, of the simulated station that has no password |
| mobility.pem, mobility.key | the root of the provider of contracts |
| contract.pem | the certificate and key of the contract by which a simulated vehicle charges |
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from chargebus_cli.errors import CommandError

EMAID: Final = "DE8AACDEMO0001"
"""The contract's name."""

RENEW_BEFORE: Final = timedelta(days=60)
"""How long before its end a certificate is made anew: before the edge tells of it."""

_ROOT_FOR: Final = timedelta(days=20 * 365)
_ISSUING_FOR: Final = timedelta(days=10 * 365)
_LEAF_FOR: Final = timedelta(days=365)
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_ORGANIZATION: Final = "Chargebus on this machine"


@dataclass(frozen=True)
class Pki:
    """Where the certificates are."""

    folder: Path

    @property
    def root(self) -> Path:
        """What is to be trusted."""
        return self.folder / "root.pem"

    @property
    def edge(self) -> Path:
        """The edge's certificate and its key."""
        return self.folder / "edge.pem"

    @property
    def station(self) -> Path:
        """A station's certificate with its chain and key."""
        return self.folder / "station.pem"

    @property
    def mobility(self) -> Path:
        """The root under which contracts are to be trusted."""
        return self.folder / "mobility.pem"

    def contract(self) -> str:
        """Return the chain that a vehicle with the contract shows, in PEM."""
        certificates = x509.load_pem_x509_certificates((self.folder / "contract.pem").read_bytes())
        return "".join(map(_pem, certificates))


@dataclass(frozen=True)
class _Signer:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class _Wanted:
    """A certificate to be: whose, what for, and by which names besides it is known."""

    common_name: str
    use: ObjectIdentifier
    names: Sequence[x509.GeneralName] = ()


def kept_pki(folder: Path, host: str, station_id: str, now: datetime | None = None) -> Pki:
    """Return certificates that hold, for an edge at the address `host` and for a station; make those that are missing.

    Raises:
        CommandError: what is in the folder cannot be used.
    """
    now, pki = now or datetime.now(UTC), Pki(folder)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _holds(folder / "issuing.pem", now):
            _write_authority(pki, now)
        root, issuing = _signer(pki.root, folder / "root.key"), _signer(folder / "issuing.pem", folder / "issuing.key")
        names = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(host)))
        if not _holds(pki.edge, now, root):
            _write_leaf(pki.edge, root, (), _Wanted("localhost", ExtendedKeyUsageOID.SERVER_AUTH, names), now)
        if not _holds(pki.station, now, issuing):
            wanted = _Wanted(station_id, ExtendedKeyUsageOID.CLIENT_AUTH)
            _write_leaf(pki.station, issuing, (issuing.certificate,), wanted, now)
        _keep_contract(pki, now)
    except (OSError, ValueError, TypeError) as error:
        message = f"the certificates in {folder} cannot be used ({error}): take that folder away, and new ones are made"
        raise CommandError(message) from error
    return pki


def _keep_contract(pki: Pki, now: datetime) -> None:
    """Have a provider of contracts, and the contract."""
    key_file, contract = pki.folder / "mobility.key", pki.folder / "contract.pem"
    if not _holds(pki.mobility, now):
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("Mobility operator root CA")
        root = _as_authority(_builder(name, name, key, now, _ROOT_FOR), 0, key, key)
        _write(key_file, _key_pem(key))
        _write(pki.mobility, _pem(root))
    provider = _signer(pki.mobility, key_file)
    if not _holds(contract, now, provider):
        _write_leaf(contract, provider, (), _Wanted(EMAID, ExtendedKeyUsageOID.CLIENT_AUTH), now)


def _holds(file: Path, now: datetime, issuer: _Signer | None = None) -> bool:
    """Tell whether a file has a certificate that does not end soon, and is of this issuer."""
    if not file.exists():
        return False
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    try:
        if issuer is not None:
            certificate.verify_directly_issued_by(issuer.certificate)
    except (ValueError, InvalidSignature):
        return False
    return now < certificate.not_valid_after_utc - RENEW_BEFORE


def _write_authority(pki: Pki, now: datetime) -> None:
    """Write a root and what the authority signs with; the latter's certificate last: without it nothing is there."""
    folder = pki.folder
    (folder / "issuing.pem").unlink(missing_ok=True)
    root_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256R1())
    name = _name("Root CA")
    root = _Signer(_as_authority(_builder(name, name, root_key, now, _ROOT_FOR), 1, root_key, root_key), root_key)
    builder = _builder(_name("Issuing CA"), name, key, now, _ISSUING_FOR)
    issuing = _as_authority(builder, 0, key, root_key)
    _write(folder / "root.key", _key_pem(root_key))
    _write(pki.root, _pem(root.certificate))
    _write(folder / "issuing.key", _key_pem(key))
    _write(folder / "issuing.pem", _pem(issuing) + _pem(root.certificate))


def _write_leaf(file: Path, signer: _Signer, chain: Sequence[x509.Certificate], wanted: _Wanted, now: datetime) -> None:
    """Write a certificate, what goes with it and its key into one file, so that one never stands beside another's."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(wanted.common_name), signer.certificate.subject, key, now, _LEAF_FOR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([wanted.use]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False)
    )
    if wanted.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(wanted.names), critical=False)
    certificate = builder.sign(signer.key, _hash(signer.key))
    _write(file, "".join(map(_pem, (certificate, *chain))) + _key_pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, valid: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + valid)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _as_authority(
    builder: x509.CertificateBuilder,
    below: int,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    if key is not signer:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(signer, _hash(signer))


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, _ORGANIZATION), (NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


def _hash(key: ec.EllipticCurvePrivateKey) -> hashes.SHA256 | hashes.SHA384:
    return hashes.SHA384() if isinstance(key.curve, ec.SECP384R1) else hashes.SHA256()


def _signer(certificate: Path, key: Path) -> _Signer:
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        message = f"{key} has no ECDSA key"
        raise TypeError(message)
    return _Signer(x509.load_pem_x509_certificate(certificate.read_bytes()), private)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def _write(file: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    new = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)
    new.replace(file)
