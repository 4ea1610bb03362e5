"""Connections that were refused: added up by station or address and reason, and told in `security.events` each minute.

Whoever tries passwords in masses makes one event a minute of it. Beyond so many stations and addresses they are added
up by reason only. What is only for a while (Kafka is away, the edge is full) is no matter of security.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from chargebus_events.public import CONNECTION_REFUSED, ConnectionRefused, event
from chargebus_events.record import Record
from chargebus_runtime.clock import Clock

TELL_EVERY_S: Final = 60.0
MOST: Final = 1000
"""Stations, addresses and reasons that are told apart within a minute."""

DETAIL_LIMIT: Final = 200

_WORDS: Final = {
    "no credentials": "no_credentials",
    "wrong password": "bad_password",
    "wrong user": "bad_password",
    "unknown station": "unknown_station",
    "bad identity": "bad_identity",
    "security profile too low": "low_profile",
    "certificate of another": "bad_certificate",
    "certificate revoked": "bad_certificate",
    "certificate expired": "bad_certificate",
    "certificate not valid yet": "bad_certificate",
    "certificate not for clients": "bad_certificate",
    "unknown authority": "bad_certificate",
    "bad certificate": "bad_certificate",
    "TLS version too low": "tls",
    "no cipher suite in common": "tls",
    "our certificate is not trusted": "tls",
    "no TLS": "tls",
    "TLS failed": "tls",
    "handshake timed out": "tls",
    "too many handshakes": "too_many_handshakes",
    "bad PROXY header": "bad_proxy",
}
"""What an event calls the reason that is counted; of those that are not here no event is made."""

_Key = tuple[str, str, str]  # reason, station, address


class _Count:
    __slots__ = ("address", "count", "detail", "first_at", "last_at")

    def __init__(self, at: datetime, address: str) -> None:
        self.count = 0
        self.first_at = self.last_at = at
        self.address = address
        self.detail = ""


class Refusals:
    """Counts refused connections of one edge and tells of them with `post`; `source` is the edge."""

    def __init__(self, source: str, clock: Clock, post: Callable[[Record], None]) -> None:
        self._source = source
        self._clock = clock
        self._post = post
        self._counts: dict[_Key, _Count] = {}

    def note(self, reason: str, station_id: str, address: str) -> None:
        """Count one.

        Args:
            reason: as it is counted.
            station_id: as whom somebody tried to connect; empty, if it is no station that is known.
            address: from where, without the port.
        """
        word = _WORDS.get(reason)
        if word is None:
            return
        key = word, station_id, "" if station_id else address
        if key not in self._counts and len(self._counts) >= MOST:
            key, address = (word, "", ""), ""
        at = self._clock()
        counted = self._counts.get(key)
        if counted is None:
            counted = self._counts[key] = _Count(at, address)
        counted.count += 1
        counted.last_at = at
        counted.detail = reason[:DETAIL_LIMIT]
        if counted.address != address:
            counted.address = ""

    async def run(self) -> None:
        """Tell each minute, until cancelled."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            self.tell()

    def tell(self) -> None:
        """Tell of what was counted since the last time."""
        counts, self._counts = self._counts, {}
        at = self._clock()
        for (word, station_id, _), counted in counts.items():
            body = ConnectionRefused(
                word,
                counted.count,
                counted.first_at,
                counted.last_at,
                at,
                station_id=station_id,
                address=counted.address,
                detail=counted.detail,
            )
            event_id = f"{self._source}/{word}/{body.key}/{counted.first_at.timestamp()}"
            self._post(event(CONNECTION_REFUSED, event_id, self._source, at, body))
