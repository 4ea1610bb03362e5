"""A public key infrastructure of a test's own: roots, intermediates, leaves of any kind, CRLs, live OCSP.

    with pki_server() as server:
        root = Authority.root("V2G root", server)
        sub = root.sub("CPO Sub-CA")
        leaf = sub.leaf("CS-1", usages=CLIENT)
        certificate, key = leaf.write(tmp_path)
        sub.revoke(leaf)

What is made with a server names its addresses, and is answered for there over real HTTP.
"""

import base64
import ipaddress
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from chargebus_testkit.http_thread import in_thread

Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

DAY: Final = timedelta(days=1)
CLIENT: Final = (ExtendedKeyUsageOID.CLIENT_AUTH,)
SERVER: Final = (ExtendedKeyUsageOID.SERVER_AUTH,)
BOTH: Final = (*CLIENT, *SERVER)

_CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "P-224": ec.SECP224R1,
}
_CRITICAL: Final = (x509.BasicConstraints, x509.KeyUsage)


def make_key(kind: str = "P-256") -> Key:
    """Return a new key: `P-256`, `P-384`, `P-521`, `P-224`, or `RSA-2048` and other lengths."""
    if kind.startswith("RSA-"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("RSA-")))
    return ec.generate_private_key(_CURVES[kind]())


def name(common_name: str, organization: str = "", serial_number: str = "", domain: str = "") -> x509.Name:
    """Return a subject; `domain` is the domain component that ISO 15118 asks for, such as V2G or CPO."""
    parts = (
        (NameOID.COMMON_NAME, common_name),
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.SERIAL_NUMBER, serial_number),
        (NameOID.DOMAIN_COMPONENT, domain),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


def pem(certificate: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """Return a certificate or a request in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: Key) -> str:
    """Return a private key in PEM, not encrypted."""
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def csr(key: Key, subject: x509.Name, sans: Sequence[str] = (), version: int = 0) -> str:
    """Return a signing request in PEM; `version` is the number in it, which has to be 0 and of some stations is not."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(each) for each in sans]), critical=False)
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    if version:
        der = _with_version(der, version, key)
    lines = base64.encodebytes(der).decode().replace("\n", "")
    folded = "\n".join(lines[start : start + 64] for start in range(0, len(lines), 64))
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{folded}\n-----END CERTIFICATE REQUEST-----\n"


@dataclass(frozen=True)
class Leaf:
    """A certificate with its key, and the authority that issued it."""

    certificate: x509.Certificate
    key: Key
    issuer: "Authority"

    @property
    def pem(self) -> str:
        """The certificate alone."""
        return pem(self.certificate)

    @property
    def key_pem(self) -> str:
        """Its private key."""
        return key_pem(self.key)

    def chain(self, *, root: bool = False) -> str:
        """Return it with its intermediates, the leaf first; with the root where wanted."""
        return "".join(map(pem, [self.certificate, *self.issuer.chain(root=root)]))

    def write(self, folder: Path, stem: str = "leaf", *, root: bool = False) -> tuple[Path, Path]:
        """Write chain and key into files; return their paths."""
        certificate, key = folder / f"{stem}.pem", folder / f"{stem}.key"
        certificate.write_text(self.chain(root=root))
        key.write_text(self.key_pem)
        key.chmod(0o600)
        return certificate, key


class Authority:
    """A certificate authority: a root, or an intermediate of another.

    Its certificates may be revoked; its CRL and its OCSP answers say so at once. `knows_all`: whether OCSP says `good`
    of serial numbers that were never issued, as responders that work by CRLs do; else it says `unknown`.
    """

    def __init__(
        self, certificate: x509.Certificate, key: Key, parent: "Authority | None", server: "PkiServer | None"
    ) -> None:
        self.certificate = certificate
        self.key = key
        self.parent = parent
        self.server = server
        self.revoked: dict[int, datetime] = {}
        self.issued: set[int] = set()
        self.knows_all = False
        if server is not None:
            server.authorities.append(self)

    @classmethod
    def root(
        cls,
        common_name: str = "a root",
        server: "PkiServer | None" = None,
        key: Key | None = None,
        *,
        valid: tuple[timedelta, timedelta] = (-DAY, 30 * DAY),
        domain: str = "",
    ) -> "Authority":
        """Return a new root."""
        key = key or make_key()
        subject = name(common_name, domain=domain)
        builder = _builder(subject, subject, key, *valid)
        certificate = _as_authority(builder, key, key).sign(key, hashes.SHA256())
        return cls(certificate, key, None, server)

    def sub(
        self,
        common_name: str = "an intermediate",
        key: Key | None = None,
        *,
        valid: tuple[timedelta, timedelta] = (-DAY, 30 * DAY),
        domain: str = "",
    ) -> "Authority":
        """Return a new intermediate below this one."""
        key = key or make_key()
        builder = _builder(name(common_name, domain=domain), self.certificate.subject, key, *valid)
        builder = self._with_addresses(_as_authority(builder, key, self.key))
        certificate = builder.sign(self.key, hashes.SHA256())
        self.issued.add(certificate.serial_number)
        return Authority(certificate, key, self, self.server)

    def leaf(  # noqa: PLR0913 - what a certificate is made of
        self,
        subject: str | x509.Name,
        *,
        key: Key | None = None,
        sans: Sequence[str | x509.GeneralName] = (),
        usages: Sequence[ObjectIdentifier] = BOTH,
        valid: tuple[timedelta, timedelta] = (-DAY, 10 * DAY),
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> Leaf:
        """Return a new certificate with its key: of a common name, or of a whole subject.

        `valid` is from now on; `extensions` take the place of those of the same kind.
        """
        key = key or make_key()
        whole = name(subject) if isinstance(subject, str) else subject
        certificate = self._leaf(whole, key.public_key(), (sans, usages, extensions), valid)
        return Leaf(certificate, key, self)

    def localhost(self, kind: str = "P-256", **options: Any) -> Leaf:  # noqa: ANN401 - those of `leaf`
        """Return a new certificate of a server on the loopback interface."""
        options = {"sans": ["localhost", "127.0.0.1"], "usages": SERVER} | options
        return self.leaf("localhost", key=make_key(kind), **options)

    def station(self, subject: str | x509.Name, kind: str = "P-256", **options: Any) -> Leaf:  # noqa: ANN401
        """Return a new certificate of a client."""
        return self.leaf(subject, key=make_key(kind), **{"usages": CLIENT} | options)

    def sign(self, request: x509.CertificateSigningRequest, usages: Sequence[ObjectIdentifier] = BOTH) -> str:
        """Return the certificate for a signing request, with its intermediates, in PEM."""
        key = request.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise TypeError("neither ECDSA nor RSA")
        certificate = self._leaf(request.subject, key, ((), usages, ()), (-DAY, 10 * DAY))
        return "".join(map(pem, [certificate, *self.chain()]))

    def chain(self, *, root: bool = False) -> list[x509.Certificate]:
        """Return its certificate and those above it; the root only where wanted."""
        if self.parent is None:
            return [self.certificate] if root else []
        return [self.certificate, *self.parent.chain(root=root)]

    def write(self, folder: Path, stem: str = "ca") -> Path:
        """Write its certificate into a file."""
        file = folder / f"{stem}.pem"
        file.write_text(pem(self.certificate))
        return file

    def revoke(self, revoked: "Leaf | Authority | x509.Certificate") -> None:
        """Revoke what it issued."""
        certificate = revoked if isinstance(revoked, x509.Certificate) else revoked.certificate
        self.revoked[certificate.serial_number] = datetime.now(UTC)

    def crl(self, *, begins: timedelta = timedelta(minutes=-1), ends: timedelta = DAY) -> bytes:
        """Return its revocation list in DER."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now + begins)
            .next_update(now + ends)
            .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.certificate_key), critical=False)
        )
        for serial, at in self.revoked.items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def write_crl(self, folder: Path, stem: str = "ca") -> Path:
        """Write its revocation list into a file, in PEM, as OpenSSL reads it."""
        file = folder / f"{stem}.crl.pem"
        crl = x509.load_der_x509_crl(self.crl())
        file.write_bytes(crl.public_bytes(serialization.Encoding.PEM))
        return file

    @property
    def certificate_key(self) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
        """Its public key."""
        return self.key.public_key()

    def _leaf(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        more: tuple[Sequence[str | x509.GeneralName], Sequence[ObjectIdentifier], Sequence[x509.ExtensionType]],
        times: tuple[timedelta, timedelta],
    ) -> x509.Certificate:
        sans, usages, extensions = more
        builder = (
            _builder(subject, self.certificate.subject, key, *times)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.certificate_key), critical=False)
        )
        usual = (x509.BasicConstraints(ca=False, path_length=None), _usage(signs=False))
        given = {type(each): each for each in (*usual, *extensions)}
        for each in given.values():
            builder = builder.add_extension(each, critical=isinstance(each, _CRITICAL))
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if sans:
            names = x509.SubjectAlternativeName([_general(each) for each in sans])
            builder = builder.add_extension(names, critical=False)
        certificate = self._with_addresses(builder).sign(self.key, hashes.SHA256())
        self.issued.add(certificate.serial_number)
        return certificate

    def _with_addresses(self, builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        """Say where the state of what it issues can be asked."""
        if self.server is None:
            return builder
        responder = x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(self.server.ocsp_url)
        )
        point = x509.UniformResourceIdentifier(self.server.crl_url(self))
        return builder.add_extension(x509.AuthorityInformationAccess([responder]), critical=False).add_extension(
            x509.CRLDistributionPoints([x509.DistributionPoint([point], None, None, None)]), critical=False
        )


def client_context(
    authority: Authority, shown: Leaf | None = None, folder: Path | None = None, *, root: bool = False
) -> ssl.SSLContext:
    """Return what a station speaks TLS with that trusts an authority; it shows a certificate, written to a folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem(authority.certificate))
    if shown is not None and folder is not None:
        context.load_cert_chain(*shown.write(folder, f"shown-{shown.certificate.serial_number:x}", root=root))
    return context


@dataclass
class PkiServer:
    """Where CRLs are fetched and OCSP is asked, over HTTP; it can be made to misbehave.

    Attributes:
        asked: the OCSP requests that came; `fetched`: the paths of the CRLs that were.
        status: what HTTP answers to everything, if not 200; `delay_s`: how long it takes.
        lasts: how long OCSP answers and CRLs hold; None: OCSP answers say nothing of it.
        signer: who signs OCSP answers in the place of the authority that is asked about: a forger.
        responder: a leaf of the authority, to which signing answers is delegated.
        without_nonce: the nonce of a request does not come back.
    """

    port: int
    authorities: list[Authority] = field(default_factory=list)
    asked: list[ocsp.OCSPRequest] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    status: int = 200
    delay_s: float = 0.0
    lasts: timedelta | None = DAY
    signer: Authority | None = None
    responder: Leaf | None = None
    without_nonce: bool = False

    @property
    def ocsp_url(self) -> str:
        """Where OCSP is asked."""
        return f"http://127.0.0.1:{self.port}/ocsp"

    def crl_url(self, authority: Authority) -> str:
        """Where an authority's CRL is fetched."""
        return f"http://127.0.0.1:{self.port}/{_key_id(authority)}.crl"

    def fetch(self, path: str) -> bytes | None:
        """Return the CRL at a path."""
        self.fetched.append(path)
        found = next((each for each in self.authorities if path == f"/{_key_id(each)}.crl"), None)
        return None if found is None else found.crl(ends=self.lasts or DAY)

    def answer(self, der: bytes) -> bytes:
        """Return the answer to an OCSP request."""
        request = ocsp.load_der_ocsp_request(der)
        self.asked.append(request)
        for authority in self.authorities:
            algorithm = request.hash_algorithm
            probe = ocsp.OCSPRequestBuilder().add_certificate(authority.certificate, authority.certificate, algorithm)
            if probe.build().issuer_key_hash == request.issuer_key_hash:
                return self._answer_of(authority, request)
        return ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED).public_bytes(
            serialization.Encoding.DER
        )

    def _answer_of(self, authority: Authority, request: ocsp.OCSPRequest) -> bytes:
        now = datetime.now(UTC)
        revoked_at = authority.revoked.get(request.serial_number)
        known = authority.knows_all or request.serial_number in authority.issued
        good = ocsp.OCSPCertStatus.GOOD if known else ocsp.OCSPCertStatus.UNKNOWN
        signer = self.signer or authority
        certificate, key = (
            (signer.certificate, signer.key)
            if self.responder is None
            else (self.responder.certificate, self.responder.key)
        )
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                request.issuer_name_hash,
                request.issuer_key_hash,
                request.serial_number,
                request.hash_algorithm,
                good if revoked_at is None else ocsp.OCSPCertStatus.REVOKED,
                now - timedelta(minutes=1),
                None if self.lasts is None else now + self.lasts,
                revoked_at,
                None if revoked_at is None else x509.ReasonFlags.key_compromise,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, certificate)
            .certificates([certificate])
        )
        nonce = next((each for each in request.extensions if isinstance(each.value, x509.OCSPNonce)), None)
        if nonce is not None and not self.without_nonce:
            builder = builder.add_extension(nonce.value, critical=False)
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class _Server(ThreadingHTTPServer):
    pki: PkiServer
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Serve a CRL, or an OCSP request in the address."""
        if self.path.startswith("/ocsp/"):
            self._say(
                self.server.pki.answer(base64.b64decode(unquote(self.path.removeprefix("/ocsp/")))), "ocsp-response"
            )
        elif (crl := self.server.pki.fetch(self.path)) is None:
            self.send_error(404)
        else:
            self._say(crl, "pkix-crl")

    def do_POST(self) -> None:
        """Answer an OCSP request."""
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self._say(self.server.pki.answer(asked), "ocsp-response")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""

    def _say(self, content: bytes, kind: str) -> None:
        sleep(self.server.pki.delay_s)
        if self.server.pki.status != 200:  # noqa: PLR2004 - OK
            self.send_error(self.server.pki.status)
            return
        self.send_response(200)
        self.send_header("Content-Type", f"application/{kind}")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def pki_server() -> Iterator[PkiServer]:
    """Serve CRLs and OCSP on the loopback interface."""
    http = _Server(("127.0.0.1", 0), _Handler)
    http.pki = PkiServer(http.server_address[1])
    with in_thread(http):
        yield http.pki


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key | ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    begins: timedelta,
    ends: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


def _as_authority(builder: x509.CertificateBuilder, key: Key, issuer: Key) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general(each: str | x509.GeneralName) -> x509.GeneralName:
    if isinstance(each, x509.GeneralName):
        return each
    try:
        return x509.IPAddress(ipaddress.ip_address(each))
    except ValueError:
        return x509.DNSName(each)


def _key_id(authority: Authority) -> str:
    return x509.SubjectKeyIdentifier.from_public_key(authority.certificate_key).digest.hex()


def _with_version(der: bytes, version: int, key: Key) -> bytes:
    """Return a request with another version, signed anew: its two outer lengths are of two bytes or of one."""
    info = x509.load_der_x509_csr(der).tbs_certrequest_bytes
    at = info.index(bytes.fromhex("020100"))
    changed = info[: at + 2] + bytes([version]) + info[at + 3 :]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(changed, ec.ECDSA(hashes.SHA256()))
        algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    else:
        signature = key.sign(changed, padding.PKCS1v15(), hashes.SHA256())
        algorithm = bytes.fromhex("300d06092a864886f70d01010b0500")
    bits = b"\x03" + _length(len(signature) + 1) + b"\x00" + signature
    whole = changed + algorithm + bits
    return b"\x30" + _length(len(whole)) + whole


def _length(size: int) -> bytes:
    if size < 0x80:  # noqa: PLR2004 - DER's short form
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets
