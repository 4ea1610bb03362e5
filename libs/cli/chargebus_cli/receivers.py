"""What takes the alerts of a demonstration: a mail server and a receiver of webhooks, with a page of what came.

Both are on the loopback interface, keep a few messages in memory and send none on.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Final, cast

import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session
from chargebus_runtime.http import HttpServer, listen
from chargebus_runtime.process import PortTakenError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_KEPT: Final = 200
_LONGEST: Final = 1 << 20
_NOTHING: Final = "Nothing came yet.\n"
_IDS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass
class Receivers:
    """Where the demonstration's alerts go, and what came, the newest first."""

    host: str
    address: str = "operator@demo.example"
    page_port: int = 0
    mail_port: int = 0
    came: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))

    @property
    def page(self) -> str:
        """Where what came is shown."""
        return f"http://{self.host}:{self.page_port}/"

    @property
    def webhook(self) -> str:
        """Where webhooks are posted to."""
        return f"{self.page}webhook"

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the settings by which alerts come here; mail does not where a server is given."""
        webhooks = {
            "NOTIFICATION_WEBHOOK_ALLOW_HTTP": "true",
            "NOTIFICATION_WEBHOOK_ALLOWED_NETWORKS": f'["{self.host}/32"]',
        }
        if "NOTIFICATION_SMTP_HOST" in given:
            return webhooks
        return webhooks | {
            "NOTIFICATION_SMTP_HOST": self.host,
            "NOTIFICATION_SMTP_PORT": str(self.mail_port),
            "NOTIFICATION_SMTP_TLS": "none",
            "NOTIFICATION_SMTP_FROM": "chargebus@demo.example",
        }

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        """Take a mail."""
        mail = message_from_bytes(cast("bytes", envelope.content), policy=default)
        body = mail.get_body(("plain",))
        text = "" if body is None else body.get_content()
        self._take(f"mail to {', '.join(envelope.rcpt_tos)}: {mail['Subject']}", text)
        return "250 OK"

    async def take_webhook(self, request: Request) -> Response:
        """Take what is posted."""
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST:
                return Response(status_code=413)
        headers = "".join(f"{name}: {request.headers.get(name, '')}\n" for name in _IDS)
        self._take(f"webhook to {request.url.path}", f"{headers}\n{_readable(body)}")
        return Response(status_code=204)

    async def show(self, request: Request) -> Response:
        """Show what came, or what of it has a text in it (`?with=`)."""
        wanted = request.query_params.get("with", "")
        return PlainTextResponse("\n".join(each for each in self.came if wanted in each) or _NOTHING)

    def _take(self, what: str, text: str) -> None:
        indented = "".join(f"    {line}\n" for line in text.strip().splitlines())
        self.came.appendleft(f"{datetime.now(UTC):%H:%M:%S} {what}\n{indented}")


@asynccontextmanager
async def receivers(host: str, first_port: int) -> AsyncIterator[Receivers]:
    """Run both, on `first_port` (the page) and the next one, or, where these are taken, on any that is free."""
    taking = Receivers(host)
    routes = [Route("/", taking.show), Route("/webhook", taking.take_webhook, methods=["POST"])]
    async with AsyncExitStack() as stack:
        listening = _listen(host, first_port)
        taking.page_port = listening.getsockname()[1]
        server = HttpServer(Starlette(routes=routes), host, taking.page_port)
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="the demonstration's receivers")
        stack.push_async_callback(asyncio.wait, [serving])
        stack.callback(server.request_stop)
        listening = _listen(host, first_port + 1)
        taking.mail_port = listening.getsockname()[1]
        loop = asyncio.get_running_loop()
        mails = await loop.create_server(lambda: SMTP(taking, hostname="demo.example"), sock=listening)
        stack.callback(mails.close)
        yield taking


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port, "")
    except (PortTakenError, OverflowError):
        return listen(host, 0, "")


def _readable(body: bytes) -> str:
    with contextlib.suppress(msgspec.MsgspecError):
        body = msgspec.json.format(body, indent=2)
    return body.decode(errors="replace")
