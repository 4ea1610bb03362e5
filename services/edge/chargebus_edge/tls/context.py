"""What TLS may be spoken with: versions, cipher suites, the server's certificates, and whom clients must be vouched by.

A context is made as a whole of files as they are now, and never changed: what is wrong with one of them is told in one
line, and the context before it goes on.

Spec: OCPP 2.0.1 Part 2, A00.FR.301 to 324, A00.FR.401 to 429; OCPP 1.6 security whitepaper, 3.5 and 3.6
"""

import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from chargebus_certificates.anchors import issuers_told
from chargebus_certificates.proof import UNREADABLE
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chargebus_edge.tls.files import TlsFiles, TlsFilesError, look_through, read
from chargebus_edge.tls.revocation_lists import RevocationLists, load

FORWARD_SECRET: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
"""Suites of TLS 1.2 that are taken unless others are named: those with ECDSA are the specification's, those with RSA
have the forward secrecy that load balancers' policies ask for, and that its own with RSA lack."""

RSA_KEY_EXCHANGE: Final = ("AES128-GCM-SHA256", "AES256-GCM-SHA384")
"""Suites of TLS 1.2 that the specification names for RSA: without forward secrecy, so only for who names them.

Spec: OCPP 2.0.1 A00.FR.318 and 319
"""

MinimumVersion = Literal["1.2", "1.3"]
_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class TlsPolicy:
    """What is spoken: the oldest version, and the suites of TLS 1.2 by OpenSSL's names, in order of preference."""

    minimum: MinimumVersion = "1.2"
    ciphers: Sequence[str] = FORWARD_SECRET

    def __post_init__(self) -> None:
        unknown = set(self.ciphers) - {*FORWARD_SECRET, *RSA_KEY_EXCHANGE}
        if unknown or not self.ciphers:
            allowed = ", ".join((*FORWARD_SECRET, *RSA_KEY_EXCHANGE))
            named = ", ".join(sorted(unknown)) or "none"
            raise TlsFilesError(f"EDGE_TLS_CIPHERS names {named}; what may be spoken is {allowed}")


@dataclass(frozen=True)
class Usable:
    """What was made of the files.

    Attributes:
        context: what handshakes are made with.
        expiries: when each certificate of the server, and each trust anchor, expires, by the file and whose it is.
        anchors: the certificates that client certificates may be vouched by.
        lists: which certificates were revoked.
        issuers: under whom the server's certificates stand.
    """

    context: ssl.SSLContext
    expiries: tuple["Expiry", ...]
    anchors: tuple[x509.Certificate, ...] = ()
    lists: RevocationLists = field(default_factory=RevocationLists)
    issuers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expiry:
    """When a certificate in a file expires; `serves`: the server shows it, else clients are vouched by it."""

    path: Path
    certificate: x509.Certificate
    serves: bool

    @property
    def at(self) -> datetime:
        """When."""
        return self.certificate.not_valid_after_utc

    @property
    def fingerprint(self) -> str:
        """Its SHA-256, in hexadecimal digits."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def subject(self) -> str:
        """Whose it is."""
        return self.certificate.subject.rfc4514_string()


def make(files: TlsFiles, policy: TlsPolicy) -> Usable:
    """Make a context of files as they are now.

    Raises:
        TlsFilesError: they cannot be used.
    """
    try:
        return _make(files, policy)
    except TlsFilesError:
        raise
    except (OSError, *UNREADABLE) as error:
        raise TlsFilesError(f"the files of TLS cannot be used ({error})") from error


def _make(files: TlsFiles, policy: TlsPolicy) -> Usable:
    context = _new_context(policy)
    expiries = [*_load_certificates(context, files)]
    anchors: list[x509.Certificate] = []
    for path in files.client_ca:
        found = _certificates(path)
        anchors += found
        expiries += [Expiry(path, certificate, serves=False) for certificate in found]
        _trust(context, path)
    shown = [certificate for path, _ in files.pairs for certificate in _certificates(path)]
    return Usable(context, tuple(expiries), tuple(anchors), load(files.revocation_lists), issuers_told(shown))


def _new_context(policy: TlsPolicy) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[policy.minimum]
    context.set_ciphers(":".join(policy.ciphers))
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def _load_certificates(context: ssl.SSLContext, files: TlsFiles) -> Iterable[Expiry]:
    kinds: dict[str, Path] = {}
    for path, key_path in files.pairs:
        leaf = _certificates(path)[0]
        kind = _kind(path, leaf)
        if kind in kinds:
            raise TlsFilesError(f"{kinds[kind]} and {path} are both for {kind} keys: one would never be shown")
        kinds[kind] = path
        read(key_path)
        try:
            context.load_cert_chain(path, key_path, lambda path=key_path: _refuse_passphrase(path))
        except ssl.SSLError as error:
            raise TlsFilesError(_unusable(path, key_path, error)) from error
        yield Expiry(path, leaf, serves=True)


def _kind(path: Path, certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ECDSA"
    raise TlsFilesError(f"the certificate in {path} has a key that is neither RSA nor ECDSA")


def _certificates(path: Path) -> list[x509.Certificate]:
    content = read(path)
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise TlsFilesError(f"{path} holds no certificate in PEM ({error})") from error
    for certificate in found:
        try:
            look_through(certificate)
        except UNREADABLE as error:
            raise TlsFilesError(f"a certificate in {path} cannot be read ({error})") from error
    return found


def _trust(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise TlsFilesError(f"the trust anchors in {path} cannot be used ({error.reason})") from error
    context.verify_mode = ssl.CERT_OPTIONAL
    # A chain may end at any certificate of the file, whether its root is there or not.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN


def _refuse_passphrase(path: Path) -> str:
    raise TlsFilesError(f"the key in {path} is encrypted: it has to stand in its file as it is")


def _unusable(path: Path, key_path: Path, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {key_path} does not fit the certificate in {path}"
    return f"the certificate in {path} with the key in {key_path} cannot be used ({error.reason or 'no key in it'})"
