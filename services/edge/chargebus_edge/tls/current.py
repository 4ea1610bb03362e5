"""The TLS that is spoken now, and taking it anew when its files change.

A file that is written or replaced is looked at again until it rests, so that a certificate and its key that come one
after the other are taken together. What cannot be used is told of once, and what was used before goes on.
"""

import asyncio
import contextlib
import logging
import signal
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from chargebus_runtime.clock import Clock

from chargebus_edge.tls.context import Expiry, TlsPolicy, Usable, make
from chargebus_edge.tls.files import Signature, TlsFiles, TlsFilesError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TlsParts:
    """What the TLS of an edge is made of; `reloaded` is told whether files that changed could be used."""

    files: TlsFiles
    policy: TlsPolicy
    look_every_s: float
    clock: Clock
    reloaded: Callable[[str], None]


class CurrentTls:
    """Holds what handshakes are made with.

    Raises:
        TlsFilesError: the files cannot be used.
    """

    def __init__(self, parts: TlsParts) -> None:
        self._parts = parts
        self._tried = parts.files.signature()
        self._seen = self._tried
        self.usable = make(parts.files, parts.policy)
        self._valid_from: datetime | None = None  # of the files that were tried last, if that was too early
        self._woken = asyncio.Event()
        for expired in self._expired(self.usable):
            log.error("the certificate in %s (%s) expired at %s", expired.path, expired.subject, expired.at)

    @property
    def context(self) -> ssl.SSLContext:
        """What the next handshake is made with."""
        return self.usable.context

    def expires_in_s(self) -> dict[str, float]:
        """Return in how many seconds the first certificate of each use expires; negative: it has."""
        first: dict[str, datetime] = {}
        for expiry in self.usable.expiries:
            use = "server" if expiry.serves else "clients"
            first[use] = min(expiry.at, first.get(use, expiry.at))
        now = self._parts.clock()
        return {use: (at - now).total_seconds() for use, at in first.items()}

    async def watch(self) -> None:
        """Look at the files now and then, and at once after SIGHUP, until cancelled."""
        with _on_hangup(self._woken.set):
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._parts.look_every_s)
                told = self._woken.is_set()
                self._woken.clear()
                await self.look(at_once=told)

    async def look(self, *, at_once: bool = False) -> None:
        """Take the files anew if they have changed, and changed no more since the last look, or `at_once`."""
        now = await asyncio.to_thread(self._parts.files.signature)
        rests, self._seen = now == self._seen, now
        is_time = self._valid_from is not None and self._valid_from <= self._parts.clock()
        if (rests and (now != self._tried or is_time)) or at_once:
            await self._take(now)

    async def _take(self, signature: Signature) -> None:
        self._tried, self._valid_from = signature, None
        try:
            usable = await asyncio.to_thread(make, self._parts.files, self._parts.policy)
            self._check(usable)
        except TlsFilesError as error:
            log.error("TLS goes on with the certificates that it has: %s", error)
            self._parts.reloaded("refused")
            return
        self.usable = usable
        log.info("TLS: took certificates, keys and trust anchors anew")
        self._parts.reloaded("taken")

    def _check(self, usable: Usable) -> None:
        """Refuse what has expired in the place of what has not, and what is not valid yet until it is."""
        now = self._parts.clock()
        early = [each for each in usable.expiries if each.serves and each.certificate.not_valid_before_utc > now]
        if early:
            last = max(early, key=lambda each: each.certificate.not_valid_before_utc)
            self._valid_from = last.certificate.not_valid_before_utc
            raise TlsFilesError(f"the certificate in {last.path} ({last.subject}) is valid from {self._valid_from} on")
        before = {expiry.path for expiry in self._expired(self.usable)}
        for expired in self._expired(usable):
            if expired.path not in before:
                raise TlsFilesError(f"the certificate in {expired.path} ({expired.subject}) expired at {expired.at}")

    def _expired(self, usable: Usable) -> list[Expiry]:
        now = self._parts.clock()
        return [expiry for expiry in usable.expiries if expiry.serves and expiry.at <= now]


@contextlib.contextmanager
def _on_hangup(act: Callable[[], None]) -> Iterator[None]:
    """Have SIGHUP act, where this is the thread that may take signals."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGHUP, act)
    except (ValueError, RuntimeError, NotImplementedError):
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
