"""A server that speaks EST (RFC 7030) over HTTPS, in front of an authority of a test's own PKI."""

import base64
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from chargebus_testkit.http_thread import in_thread
from chargebus_testkit.pki import Authority
from chargebus_testkit.web_authority import WebAuthority

_OK: Final = 200


@dataclass(frozen=True)
class Said:
    """An answer that is no certificate."""

    status: int
    retry_after: str = ""
    text: str = ""


@dataclass
class EstServer:
    """What is signed, and by whom.

    Attributes:
        ca_file: the authority that its own certificate comes from.
        enrolled: the requests that came, as they came.
        answers: what is said in turn, before certificates are.
        whole: the intermediates come with a certificate, and not by `cacerts` alone.
        login: as `user:password`, where one is asked for.
        delay_s: how long an enrolment takes.
    """

    authority: Authority
    port: int
    ca_file: Path
    enrolled: list[bytes] = field(default_factory=list)
    answers: list[Said] = field(default_factory=list)
    whole: bool = False
    login: str = ""
    delay_s: float = 0.0

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"https://localhost:{self.port}/.well-known/est"


class _Server(ThreadingHTTPServer):
    est: EstServer
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Tell the authority's certificates."""
        own = self.server.est.authority
        self._certificates(own.chain(root=True)) if self.path.endswith("/cacerts") else self.send_error(404)

    def do_POST(self) -> None:
        """Enrol."""
        est = self.server.est
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = f"Basic {base64.b64encode(est.login.encode()).decode()}"
        if est.login and self.headers.get("Authorization") != wanted:
            self._say(Said(401))
        elif not self.path.endswith("/simpleenroll") or self.headers["Content-Type"] != "application/pkcs10":
            self._say(Said(400, text="this is no enrolment"))
        else:
            est.enrolled.append(base64.b64decode(body))
            sleep(est.delay_s)
            if est.answers:
                self._say(est.answers.pop(0))
            else:
                self._enrol(est.enrolled[-1])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""

    def _enrol(self, der: bytes) -> None:
        est = self.server.est
        try:
            request = x509.load_der_x509_csr(der)
        except ValueError as error:
            self._say(Said(400, text=f"no PKCS#10: {error}"))
            return
        chain = x509.load_pem_x509_certificates(est.authority.sign(request).encode())
        self._certificates(chain if est.whole else chain[:1])

    def _certificates(self, certificates: list[x509.Certificate]) -> None:
        content = base64.encodebytes(pkcs7.serialize_certificates(certificates, Encoding.DER))
        self._send(_OK, {"Content-Type": "application/pkcs7-mime; smime-type=certs-only"}, content)

    def _say(self, said: Said) -> None:
        headers = {"Retry-After": said.retry_after} if said.retry_after else {}
        self._send(said.status, headers | {"Content-Type": "text/plain"}, said.text.encode())

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            return  # who asked is gone


@contextmanager
def est_server(authority: Authority, folder: Path, clients: Authority | None = None) -> Iterator[EstServer]:
    """Serve an authority; `clients`: whoever asks needs a certificate of that one."""
    web = WebAuthority(folder)
    tls = web.server_context()
    if clients is not None:
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(clients.write(folder, "est-clients"))
    http = _Server(("127.0.0.1", 0), _Handler)
    http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    http.est = EstServer(authority, http.server_address[1], web.ca_file)
    with in_thread(http):
        yield http.est
