"""Links are made within a transaction, found by their token, and end."""

import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from chargebus_commanding import Transaction
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from chargebus_runtime.sealing import Sealing

from chargebus_firmware.links import store
from chargebus_firmware.links.domain.choice import chosen
from chargebus_firmware.links.domain.link import Link, Transport, login_url, path, plain_name, token_hash
from chargebus_firmware.links.errors import EndedLinkError, UnknownLinkError

REMEMBERED: Final = timedelta(days=7)
"""How long after its end a link is known as one that has ended."""

_TOKEN_BYTES: Final = 32
_AT_ONCE: Final = 1000


class Links:
    """The links of stations.

    `address` is where they are reached, such as `http://files.example.com`, `secure` the same of HTTPS where both are
    served; `addresses` is where they are reached over what else is served, such as `files.example.com:2121`.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        address: Callable[[], str],
        addresses: Mapping[Transport, str] = MappingProxyType({}),
        secure: Callable[[], str] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._address = address
        self._addresses = addresses
        self._secure = secure

    async def make(  # noqa: PLR0913 - one declaration, each part by its name
        self,
        tx: Transaction,
        station_id: str,
        purpose: str,
        target_id: str,
        ends_at: datetime,
        *,
        name: str = "file",
        over: Transport = "http",
    ) -> str:
        """Make a link within a transaction; return its URL, which nobody else is to see and which is nowhere kept.

        Args:
            tx: the link is there once it is committed.
            station_id: whose it is.
            purpose: a name from the table of purposes.
            target_id: of what is fetched, or of what waits for what is sent.
            ends_at: nothing begins from then on; what has begun may end.
            name: the name of the file.
            over: what the URL is of; the link is the same over all that is served.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        made = Link(token_hash(token), station_id, purpose, target_id, plain_name(name), tx.now, ends_at)
        await store.add(tx.connection, made)
        if over in self._addresses:
            return login_url(over, self._addresses[over], token, name)
        address = self._secure if over == "https" and self._secure is not None else self._address
        return address() + path(token, name)

    def offers(self, over: Transport) -> bool:
        """Tell whether links are served over a transport."""
        return over == "http" or over in self._beside or (over == "https" and self._http == "HTTPS")

    @property
    def has_choice(self) -> bool:
        """Whether anything else is served beside what `http` is."""
        return bool(self._beside)

    def chosen(self, protocols: Collection[str]) -> Transport:
        """Return over what a station transfers a file that says that it knows these protocols."""
        return chosen(protocols, self._beside, self._http)

    def why_not(self, over: Transport, sealing: Sealing) -> str:
        """Return why stations cannot fetch what is kept here over a transport; empty: they can."""
        if not self.offers(over):
            port = "FIRMWARE_FILES_TLS_PORT" if over == "https" else f"FIRMWARE_{over.upper()}_PORT"
            return f"Files are not served over {over} here; see {port}."
        if not sealing.has_keys:
            return "A link to a file is a secret, which is sealed on its way to the station: set SEALING_KEYS."
        return ""

    @property
    def _http(self) -> str:
        return self._address().partition(":")[0].upper()

    @property
    def _beside(self) -> Collection[Transport]:
        """What is served beside what `http` is."""
        found = set(self._addresses)
        if self._secure is not None:
            found.add("https")
        return found

    async def find(self, token: str) -> Link:
        """Return the link of a token.

        Raises:
            UnknownLinkError, EndedLinkError: there is none, or none any more.
        """
        async with self._database.pool.acquire() as connection:
            link = await store.find(connection, token_hash(token))
        if link is None:
            raise UnknownLinkError("There is no such link.")
        if link.is_over(self._clock()):
            raise EndedLinkError("This link has ended.")
        return link

    async def forget(self) -> None:
        """Drop links that ended long ago."""
        more = True
        while more:
            async with self._database.writing() as connection:
                more = await store.forget(connection, self._clock() - REMEMBERED, _AT_ONCE) == _AT_ONCE
