"""How many handshakes may be under way, in all and from one address; and in which words a failed one is counted."""

import asyncio
import ipaddress
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

TIMED_OUT: Final = "handshake timed out"
TOO_MANY: Final = "too many handshakes"
BROKEN_OFF: Final = "handshake broken off"
BAD_HEADER: Final = "bad PROXY header"

_BY_REASON: Final = {
    "UNSUPPORTED_PROTOCOL": "TLS version too low",
    "VERSION_TOO_LOW": "TLS version too low",
    "TLSV1_ALERT_PROTOCOL_VERSION": "TLS version too low",
    "NO_SHARED_CIPHER": "no cipher suite in common",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "no cipher suite in common",
    "HTTP_REQUEST": "no TLS",
    "WRONG_VERSION_NUMBER": "no TLS",
    "TLSV1_ALERT_UNKNOWN_CA": "our certificate is not trusted",
    "SSLV3_ALERT_BAD_CERTIFICATE": "our certificate is not trusted",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "our certificate is not trusted",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate is not trusted",
}

# X509_V_ERR_*: what is wrong with a client's certificate, in few words, for they are counted by.
_BY_VERDICT: Final = {
    2: "unknown authority",
    9: "certificate not valid yet",
    10: "certificate expired",
    18: "unknown authority",
    19: "unknown authority",
    20: "unknown authority",
    21: "unknown authority",
    26: "certificate not for clients",
}


def reason(error: BaseException) -> str:
    """Return why a TLS handshake failed, as one of few reasons."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _BY_VERDICT.get(error.verify_code, "bad certificate")
    if isinstance(error, ssl.SSLError):
        return _BY_REASON.get(error.reason or "", "TLS failed")
    return TIMED_OUT if isinstance(error, TimeoutError | ConnectionAbortedError) else BROKEN_OFF


@dataclass(frozen=True)
class HandshakeLimits:
    """`at_once` handshakes may be under way, `per_address` of them from one address, each for `timeout_s`.

    `spared_s`: so long one is never ended for another; an honest one is over by then.
    """

    at_once: int = 1000
    per_address: int = 250
    timeout_s: float = 15.0
    spared_s: float = 3.0


class Handshake:
    """One that counts until its opening request is answered; `end` may be said more than once."""

    def __init__(self, address: str, began: float, task: "asyncio.Task[None] | None", end: "End") -> None:
        self.address = address
        self.began = began
        self.task = task
        self._end: End | None = end

    def end(self) -> None:
        """Count one less."""
        end, self._end = self._end, None
        if end is not None:
            end(self)


End = Callable[[Handshake], None]


class Handshakes:
    """Counts those under way; more than there may be in all wait, more than one address may have are turned away.

    An address has what it began until its opening request is answered. The addresses of an IPv6 network of 64 bits are
    one: whoever has one has them all.
    """

    def __init__(self, limits: HandshakeLimits) -> None:
        self.limits = limits
        self._by_address: Counter[str] = Counter()
        self._speaking: dict[Handshake, None] = {}  # the oldest first
        self.under_way = 0

    @property
    def full(self) -> bool:
        """Whether no more may begin."""
        return self.under_way >= self.limits.at_once

    def begin(self, host: str, now: float = 0.0, task: "asyncio.Task[None] | None" = None) -> Handshake | None:
        """Count one, of which a task takes care; None if the address has enough of them."""
        address = _network(host)
        if self._by_address[address] >= self.limits.per_address:
            return None
        self._by_address[address] += 1
        handshake = Handshake(address, now, task, self._ended)
        self._speaking[handshake] = None
        return handshake

    def spoken(self, handshake: Handshake) -> None:
        """Note that TLS is spoken: no other waits for it any more."""
        self._speaking.pop(handshake, None)

    def stalest(self) -> Handshake | None:
        """Return the oldest under way of the address that has most: it is ended first where no more may begin."""
        found = Counter(each.address for each in self._speaking)
        if not found:
            return None
        most = max(found.values())
        return next(each for each in self._speaking if found[each.address] == most)

    def _ended(self, handshake: Handshake) -> None:
        self._speaking.pop(handshake, None)
        self._by_address[handshake.address] -= 1
        if self._by_address[handshake.address] <= 0:
            del self._by_address[handshake.address]


def _network(host: str) -> str:
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
