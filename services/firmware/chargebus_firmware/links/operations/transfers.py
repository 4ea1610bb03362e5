"""The transfers that run in this process: how many, and how fast."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from chargebus_firmware.links.domain.link import Link
from chargebus_firmware.links.domain.pace import Allowance
from chargebus_firmware.links.errors import TooManyTransfersError

MOST_OF_LINK: Final = 8
"""How many transfers of one link may run at once, so that one station leaves room for the others."""

_PIECE: Final = 64 * 1024


@dataclass(frozen=True)
class Limits:
    """What may run at once, and how fast: bytes per second of a link, and of all together."""

    transfers: int
    link_bytes_per_s: float
    all_bytes_per_s: float


@dataclass
class _OfLink:
    allowance: Allowance
    transfers: int = 0


class Transfers:
    """Bounds transfers. Those of one link share its rate, so that several ranges at once are no faster."""

    def __init__(self, limits: Limits, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._all = Allowance(limits.all_bytes_per_s, monotonic())
        self._links: dict[bytes, _OfLink] = {}
        self._running = 0

    @property
    def running(self) -> int:
        """How many run."""
        return self._running

    @contextmanager
    def one(self, link: Link) -> Iterator["Transfer"]:
        """Take part, for as long as the context lasts.

        Raises:
            TooManyTransfersError: as many run as may, of all links or of this one.
        """
        if self._running >= self._limits.transfers:
            raise TooManyTransfersError("As many files are transferred as may be. Try again in a moment.")
        running = self._links.get(link.token_hash)
        if running is not None and running.transfers >= MOST_OF_LINK:
            raise TooManyTransfersError("As many files of this link are transferred as may be. Try again in a moment.")
        new = Allowance(self._limits.link_bytes_per_s, self._monotonic())
        of_link = self._links.setdefault(link.token_hash, _OfLink(new))
        self._running += 1
        of_link.transfers += 1
        try:
            yield Transfer((self._all, of_link.allowance), self._monotonic)
        finally:
            self._running -= 1
            of_link.transfers -= 1
            if not of_link.transfers:
                del self._links[link.token_hash]


class Transfer:
    """One that runs; `count` says how many bytes went."""

    def __init__(self, allowances: tuple[Allowance, ...], monotonic: Callable[[], float]) -> None:
        self._allowances = allowances
        self._monotonic = monotonic
        self.count = 0

    async def paced(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield what comes, in small pieces, as fast as it may go."""
        async for chunk in chunks:
            for start in range(0, len(chunk), _PIECE):
                piece = chunk[start : start + _PIECE]
                yield piece
                self.count += len(piece)
                now = self._monotonic()
                wait_s = max([allowance.take(len(piece), now) for allowance in self._allowances])
                if wait_s:
                    await asyncio.sleep(wait_s)
