"""Messages by mail: written from templates, handed to the operator's mail server, and what came of it.

Spec: RFC 5321, RFC 5322, RFC 3834 (Auto-Submitted), RFC 2919 (List-Id)
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, Literal

import aiosmtplib
from chargebus_events import public
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from chargebus_notification.delivery.domain.trying import Result
from chargebus_notification.delivery.payload import Message, change_of, counted

_PERMANENT: Final = range(500, 600)
_MOST_SUBJECT: Final = 150
_MOST_ERROR: Final = 500
_STATES: Final = {"acknowledged": "Acknowledged", "resolved": "Resolved"}


@dataclass(frozen=True)
class MailServer:
    """The operator's mail server; `tls` is from the first byte (465), after STARTTLS (587), or none."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "none"]
    username: str
    password: str
    sender: str
    ca_file: str

    @property
    def is_set(self) -> bool:
        """Whether mail can be sent."""
        return bool(self.host and self.sender)


class Mails:
    """Writes and sends mail; each message in a connection of its own, within `within_s` in all."""

    def __init__(self, server: MailServer, within_s: float) -> None:
        self._server = server
        self._within_s = within_s
        self._tls = ssl.create_default_context()
        if server.ca_file:
            self._tls.load_verify_locations(server.ca_file)
        self._templates = Environment(
            loader=PackageLoader("chargebus_notification.delivery"),
            autoescape=select_autoescape(["html.j2"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    async def send(self, message: Message, to: Sequence[str], remaining: Sequence[str] | None, now: datetime) -> Result:
        """Send a message to those who have not got it yet: to all, or to those who remain of an earlier try."""
        server = self._server
        if not server.is_set:
            return Result("failed", error="mail is not set up: NOTIFICATION_SMTP_HOST and NOTIFICATION_SMTP_FROM")
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            tls_context=None if server.tls == "none" else self._tls,
            timeout=self._within_s,
        )
        try:
            async with asyncio.timeout(self._within_s):
                await client.connect()
                return await self._hand_over(client, self.written(message, to, now), to, remaining)
        except aiosmtplib.SMTPResponseException as error:
            return Result("failed", error.code, _said(error), remaining=_kept(remaining))
        except TimeoutError:  # aiosmtplib's own, too
            return Result(
                "failed", error=f"the mail server took more than {self._within_s:.3g} s", remaining=_kept(remaining)
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            return Result("failed", error=_line(f"the mail server: {error}"), remaining=_kept(remaining))
        finally:
            client.close()

    def written(self, message: Message, to: Sequence[str], now: datetime) -> EmailMessage:
        """Return a message as mail; its Message-ID is the same each time."""
        alerts = message.alerts
        domain = self._server.sender.rpartition("@")[2]
        mail = EmailMessage(policy=SMTP)
        mail["From"] = Address("Chargebus", addr_spec=self._server.sender)
        mail["To"] = ", ".join(to)
        mail["Subject"] = subject(alerts) if message.is_digest else subject(alerts[-1:])
        mail["Date"] = format_datetime(now)
        mail["Message-ID"] = f"<{message.message_id}@{domain}>"
        mail["List-Id"] = f"<{message.subscription_id}.{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
        about = {"alerts": alerts, "name": message.name, "subscription_id": str(message.subscription_id)}
        mail.set_content(self._templates.get_template("mail.txt.j2").render(about))
        mail.add_alternative(self._templates.get_template("mail.html.j2").render(about), subtype="html")
        return mail

    async def _hand_over(
        self, client: aiosmtplib.SMTP, mail: EmailMessage, to: Sequence[str], remaining: Sequence[str] | None
    ) -> Result:
        await client.mail(self._server.sender)
        taken = 0
        later: list[tuple[str, aiosmtplib.SMTPRecipientRefused]] = []
        refused: list[tuple[str, aiosmtplib.SMTPRecipientRefused]] = []
        for address in to if remaining is None else remaining:
            try:
                await client.rcpt(address)
            except aiosmtplib.SMTPRecipientRefused as error:
                (refused if error.code in _PERMANENT else later).append((address, error))
            else:
                taken += 1
        if taken:
            await client.data(mail.as_bytes())
        await _goodbye(client)
        told = _line("; ".join(f"{address}: {_said(error)}" for address, error in [*refused, *later]))
        if later:
            return Result("failed", later[0][1].code, told, remaining=tuple(address for address, _ in later))
        if refused and not taken and remaining is None:
            return Result("gone", refused[0][1].code, f"the mail server takes no address: {told}")
        return Result("delivered", 250, told)


def subject(alerts: Sequence[public.Alert]) -> str:
    """Return the line by which a person tells what a mail is about."""
    if len(alerts) == 1:
        (alert,) = alerts
        return _line(f"{_STATES.get(change_of(alert)) or alert.severity.capitalize()}: {alert.title}")[:_MOST_SUBJECT]
    counts = ", ".join(f"{count} {severity}" for severity, count in counted(alerts).items())
    return f"{len(alerts)} alerts: {counts}"


async def _goodbye(client: aiosmtplib.SMTP) -> None:
    """Take leave; the mail is taken already, whatever the server says to that."""
    try:
        await client.quit()
    except (aiosmtplib.SMTPException, OSError):
        return


def _kept(remaining: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if remaining is None else tuple(remaining)


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return _line(f"{error.code} {error.message}")


def _line(text: str) -> str:
    """Return text as one line of what can be seen."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:_MOST_ERROR]
