"""Real receivers of messages on the loopback interface: one of webhooks over HTTPS, one of mail over SMTP."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Post:
    """What was posted to a webhook."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """By which repeats are told."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        """The body."""
        return cast("dict[str, Any]", json.loads(self.body))


Answer = Callable[[Post], bytes | None]
"""What is answered: a whole response, or None: nothing, and the connection stays open."""


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    """Return a response."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class WebhookReceiver:
    """A receiver of webhooks; `answers` are given in turn, then each is taken with 204."""

    port: int = 0
    posts: list[Post] = field(default_factory=list)
    answers: list[bytes | None] = field(default_factory=list)
    always: Answer = lambda _post: answer(204)

    def url(self, path: str = "/hook", host: str = "localhost", scheme: str = "https") -> str:
        """Where it is posted to."""
        return f"{scheme}://{host}:{self.port}{path}"

    @property
    def titles(self) -> list[str]:
        """What the alerts that came are called, in the order in which they came first."""
        first = {post.id: post for post in reversed(self.posts)}
        in_turn = dict.fromkeys(post.id for post in self.posts)
        return [first[each].json["data"]["title"] for each in in_turn]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what is posted on a connection."""
        try:
            post = await _read(reader)
            self.posts.append(post)
            said = self.answers.pop(0) if self.answers else self.always(post)
            if said is None:
                await reader.read()  # until the sender gives up
            else:
                writer.write(said)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def webhook_receiver(tls: ssl.SSLContext | None) -> AsyncIterator[WebhookReceiver]:
    """Run a receiver of webhooks."""
    receiver = WebhookReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@dataclass(frozen=True)
class Mailed:
    """A mail as the server took it."""

    recipients: list[str]
    mail: EmailMessage
    encrypted: bool


@dataclass
class MailReceiver:
    """A mail server; `refusals` say in turn what it answers to a recipient, `data` to the whole of a mail."""

    port: int = 0
    mails: list[Mailed] = field(default_factory=list)
    refusals: dict[str, list[str]] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    password: bytes = b"secret"
    drop: int = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's own name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        self.asked[address] += 1
        if self.refusals.get(address):
            return self.refusals[address].pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Take a mail."""
        if self.drop:
            self.drop -= 1
            cast("asyncio.Transport", server.transport).abort()
            return "250 never seen"
        if self.data:
            return self.data.pop(0)
        mail = message_from_bytes(cast("bytes", envelope.content), policy=default)
        self.mails.append(Mailed(list(envelope.rcpt_tos), mail, session.ssl is not None))
        return "250 OK"

    def log_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: object) -> AuthResult:
        """Let in who knows the password."""
        return AuthResult(success=isinstance(given, LoginPassword) and given.password == self.password)


@asynccontextmanager
async def mail_receiver(tls: ssl.SSLContext, *, at_once: bool = False) -> AsyncIterator[MailReceiver]:
    """Run a mail server that takes mail after STARTTLS and a login; `at_once`: TLS from the first byte, no login."""
    receiver = MailReceiver()

    def protocol() -> SMTP:
        if at_once:
            return SMTP(receiver, hostname="mail.test")
        return SMTP(
            receiver,
            hostname="mail.test",
            tls_context=tls,
            require_starttls=True,
            auth_required=True,
            authenticator=receiver.log_in,
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls if at_once else None)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


async def _read(reader: asyncio.StreamReader) -> Post:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Post(first.split(" ")[1], headers, body)
