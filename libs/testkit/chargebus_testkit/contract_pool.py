"""A pool of contracts over real HTTP, by the open interface of the market's pools; it can be made to misbehave."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any
from urllib.parse import parse_qs

from chargebus_testkit.http_thread import in_thread


@dataclass
class ContractPool:
    """What a pool has, and what it was asked.

    Attributes:
        contracts: by the vehicle's request (base64), the answers for it (base64), each with its eMAID.
        tokens: those that are taken; one more is given for each that the client `csms` asks for by `secret`.
        asked: the requests that came; `refused`: how many showed no token that is taken.
        statuses: what HTTP answers to the requests that come next, in their order.
        delay_s: how long an answer takes.
        body: what is answered to everything, if not what is right.
    """

    port: int
    contracts: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=lambda: {"a token"})
    asked: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    given: int = 0
    statuses: list[int] = field(default_factory=list)
    delay_s: float = 0.0
    body: bytes | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token_url(self) -> str:
        """Where tokens are given."""
        return f"{self.url}/oauth/token"

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the body that answer a request."""
        if path == "/oauth/token":
            return self._token(parse_qs(body.decode()))
        if authorization.removeprefix("Bearer ") not in self.tokens:
            self.refused += 1
            return 401, b"{}"
        asked = json.loads(body)
        self.asked.append(asked)
        sleep(self.delay_s)
        if self.statuses and (status := self.statuses.pop(0)) != 200:  # noqa: PLR2004 - OK
            return status, b"{}"
        if path != "/v1/ccp/signedContractData":
            return 405, b"{}"
        found = self.contracts.get(asked["certificateInstallationReq"])
        if found is None:
            return 404, b"{}"
        content = [{"messageDef": {"certificateInstallationRes": exi, "emaid": emaid}} for exi, emaid in found]
        answer = {"CCPResponse": {"emaidContent": content}, "xsdMsgDefNamespace": asked["xsdMsgDefNamespace"]}
        return 200, json.dumps(answer).encode() if self.body is None else self.body

    def _token(self, form: dict[str, list[str]]) -> tuple[int, bytes]:
        wanted = {"grant_type": ["client_credentials"], "client_id": ["csms"], "client_secret": ["secret"]}
        if form != wanted:
            return 401, b"{}"
        self.given += 1
        token = f"token {self.given}"
        self.tokens.add(token)
        return 200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600}).encode()


class _Server(ThreadingHTTPServer):
    pool: ContractPool
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Answer as the pool does."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, content = self.server.pool.answer(self.path, self.headers.get("Authorization", ""), body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


@contextmanager
def contract_pool() -> Iterator[ContractPool]:
    """Serve a pool on the loopback interface."""
    http = _Server(("127.0.0.1", 0), _Handler)
    http.pool = ContractPool(http.server_address[1])
    with in_thread(http):
        yield http.pool
