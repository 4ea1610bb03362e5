"""Messages to webhooks: signed, posted once, and what came of it.

Spec: Standard Webhooks 1.0.0
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore
from chargebus_outbound.network import CheckedNetwork
from chargebus_outbound.targets import Target, UnfitUrlError, target

from chargebus_notification.delivery.domain import signing
from chargebus_notification.delivery.domain.subscription import Secrets, Webhook
from chargebus_notification.delivery.domain.trying import GONE, Result
from chargebus_notification.delivery.payload import Message

_MOST_READ: Final = 2048
_MOST_SHOWN: Final = 200
_MOST_ERROR: Final = 500
_GONE: Final = 410
_REDIRECTS: Final = range(300, 400)
_SUCCESSES: Final = range(200, 300)
_TELL_WHEN: Final = (429, 503)


class Webhooks:
    """Posts messages; a connection of its own for each.

    Args:
        network: where connections may go.
        ca_file: certificates that are trusted beside the system's, for receivers with an authority of their own.
        plain: whether http is allowed.
        within_s: how long a message may take in all.
    """

    def __init__(self, network: CheckedNetwork, ca_file: str, *, plain: bool, within_s: float) -> None:
        self._network = network
        self._plain = plain
        self._within_s = within_s
        self._tls = ssl.create_default_context()
        if ca_file:
            self._tls.load_verify_locations(ca_file)

    async def post(self, channel: Webhook, secrets: Secrets, message: Message, now: datetime) -> Result:
        """Post a message, and tell what came of it; whatever goes wrong, another try may do."""
        body = message.json()
        signed = signing.headers(str(message.message_id), now, body, secrets.signing(now))
        try:
            where = target(channel.url, plain=self._plain)
            async with asyncio.timeout(self._within_s):
                return await self._post(where, {**secrets.headers, **signed}, body)
        except UnfitUrlError as error:
            return Result("failed", error=f"the URL is not one that is posted to any more: {error}")
        except TimeoutError:
            return Result("failed", error=f"no answer within {self._within_s:.3g} s")
        except httpcore.TimeoutException:
            return Result("failed", error="no connection within 5 s")
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError) as error:
            return Result("failed", error=_printable(str(error) or type(error).__name__))

    async def _post(self, where: Target, headers: Mapping[str, str], body: bytes) -> Result:
        sent = {
            **headers,
            "Host": where.authority,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "chargebus",
            "Accept": "*/*",
        }
        url = httpcore.URL(
            scheme=where.scheme.encode(), host=where.host.encode(), port=where.port, target=where.path.encode()
        )
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=self._network) as pool,
            pool.stream("POST", url, headers=list(sent.items()), content=body) as response,
        ):
            if response.status in _SUCCESSES:
                return Result("delivered", response.status)
            said = _printable(await _beginning(response.aiter_stream()))[:_MOST_SHOWN]
            return _refused(response.status, response.headers, said)


async def _beginning(stream: AsyncIterator[bytes]) -> str:
    """Return the beginning of what the receiver says; it may say more than anybody wants to read."""
    read = bytearray()
    async with contextlib.aclosing(stream) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            read += chunk
            if len(read) >= _MOST_READ:
                break
    return bytes(read[:_MOST_READ]).decode("utf-8", "replace")


def _refused(status: int, headers: Sequence[tuple[bytes, bytes]], said: str) -> Result:
    by_name = {name.lower(): value.decode("latin-1") for name, value in headers}
    answered = f"it answered {status}" + (f": {said}" if said else "")
    if status == _GONE:
        return Result("gone", status, GONE)
    if status in _REDIRECTS:
        location = _printable(by_name.get(b"location", "nowhere"))[:_MOST_SHOWN]
        return Result("failed", status, f"it answered {status} (to {location}), and redirects are not followed")
    after = _seconds(by_name.get(b"retry-after", "")) if status in _TELL_WHEN else 0.0
    return Result("failed", status, answered, after)


def _seconds(retry_after: str) -> float:
    """Return how long a receiver asks to be left alone: seconds, or a date (RFC 9110, 10.2.3)."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _printable(text: str) -> str:
    """Return text as one line without anything that nobody sees."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:_MOST_ERROR]
