"""Questions put to responders, and lists of revoked certificates fetched: each once, however many stations ask it."""

import asyncio
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple, TypeVar

from chargebus_certificates import lists
from chargebus_certificates.lists import RevocationList
from chargebus_certificates.proof import NoProofError
from chargebus_outbound.client import Client, OutboundError
from chargebus_outbound.targets import UnfitUrlError, target
from chargebus_runtime.away import is_away
from chargebus_runtime.clock import Clock
from chargebus_runtime.retry import until_done
from cryptography import x509

from chargebus_security.inventory.domain.hashes import HashData
from chargebus_security.metrics import Metrics
from chargebus_security.status.domain import proofs
from chargebus_security.status.domain.asked import Found, Question

Issuers = Callable[[HashData], Awaitable[Sequence[x509.Certificate]]]
"""Returns the authorities that a certificate's name may mean by its issuer."""

Remember = Callable[[Question, Found], Awaitable[None]]
"""Keeps what was found, for whoever asks next."""

AGAIN: Final = timedelta(minutes=1)
"""When one may ask again what nobody could say."""

_OCSP: Final = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
_CRL: Final = {"Accept": "application/pkix-crl"}
_OK: Final = 200
_MOST_RESPONSE: Final = 64 * 1024
"""How many bytes a responder's answer may have: it is kept, and certificates that come along are few."""

_LISTS_KEPT: Final = 64
_BYTES_KEPT: Final = 64 * 1024 * 1024
"""How long all lists that are kept are together; one is longer in memory, by some times."""

_LISTS_AT_ONCE: Final = 4
"""How many lists are fetched at the same time: each may have as many bytes as an answer may."""

_DEADLINE_S: Final = 45.0
"""How long a question is looked into, with all its URLs and all waiting: a call is taken for a minute."""

_PLACE_S: Final = 12.0
"""How long a station's question waits for others of the same station."""

_FAILURES_KEPT: Final = 10_000
_OF_A_STATION: Final = 4
"""How many requests are under way for a station at the same time."""

_MOST_WHY: Final = 400

T = TypeVar("T")

_Key = tuple[str, bool]


class _Kept(NamedTuple):
    """A list, how long it came, and until when it counts."""

    revoked: RevocationList
    size: int
    until: datetime


class _Lookup:
    """A question that is looked into, for those who wait for it.

    Where nobody does any more it is given up, unless a responder is being asked: that is seen to its end, and kept.
    """

    task: asyncio.Task[Found]

    def __init__(self, given_up: Callable[["_Lookup"], None]) -> None:
        self._given_up = given_up
        self._waiting = 0
        self._asks = False

    async def wait(self) -> Found:
        self._waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._waiting -= 1
            self._end_if_idle()

    async def see_through(self, step: Awaitable[T]) -> T:
        self._asks = True
        try:
            return await step
        finally:
            self._asks = False

    @property
    def is_wanted(self) -> bool:
        return self._waiting > 0

    def _end_if_idle(self) -> None:
        if not self._waiting and not self._asks and not self.task.done():
            self._given_up(self)
            self.task.cancel()


class _Shares:
    """How much may be under way at the same time under each name."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()

    def of(self, name: str) -> asyncio.Semaphore:
        return self._of.setdefault(name, asyncio.Semaphore(self._most))


class Lookups:
    """Finds out what is asked.

    Args:
        client: how responders are asked.
        issuers: who may have signed.
        remember: keeps what was found, also where nobody waits for it any more.
        metrics: of the service.
        clock: tells whether answers count.
        keep: how long an answer counts that does not say how long.
        deadline_s: how long a question is looked into, at most.
        at_once: how many requests are under way at the same time; to one host a quarter of them, for a station four.
    """

    def __init__(  # noqa: PLR0913 - one declaration, each part by its name
        self,
        client: Client,
        issuers: Issuers,
        remember: Remember,
        metrics: Metrics,
        clock: Clock,
        *,
        keep: timedelta,
        at_once: int,
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        self._client = client
        self._issuers = issuers
        self._remember = remember
        self._metrics = metrics
        self._clock = clock
        self._counts_for = keep
        self._deadline_s = deadline_s
        self._free = asyncio.Semaphore(at_once)
        self._stations = _Shares(_OF_A_STATION)
        self._hosts = _Shares(max(1, at_once // 4))
        self._failed: dict[_Key, Found] = {}
        self._under_way: dict[_Key, _Lookup] = {}
        self._lists_free = asyncio.Semaphore(_LISTS_AT_ONCE)
        self._fetching: dict[str, asyncio.Task[tuple[RevocationList, int]]] = {}
        self._lists: dict[str, _Kept] = {}

    async def find(self, question: Question, station_id: str, issuers: Sequence[x509.Certificate] = ()) -> Found:
        """Return what is found for a station; who asks the same at the same time gets the same.

        `issuers` may have issued what is asked about, beside those that are known here. What failed is not asked again
        before its time. Each station waits for its own place only; a question for which nobody waits any more is
        dropped, unless a responder is being asked it.
        """
        key = _key(question, issuers)
        failed = self._has_failed(key)
        if failed is not None:
            return failed
        place = self._stations.of(station_id)
        try:
            async with asyncio.timeout(_PLACE_S):
                await place.acquire()
        except TimeoutError:
            now = self._clock()
            return Found("Failed", now, now, why=f"other questions of the station took longer than {_PLACE_S:g} s")
        lookup = self._under_way.get(key)
        if lookup is None:
            failed = self._has_failed(key)
            if failed is None:
                return await self._begun(key, question, issuers, place).wait()
            place.release()
            return failed
        try:
            return await lookup.wait()
        finally:
            place.release()

    async def stop(self) -> None:
        """Give up what is under way."""
        tasks = [*(each.task for each in self._under_way.values()), *self._fetching.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _has_failed(self, key: _Key) -> Found | None:
        failed = self._failed.get(key)
        return failed if failed is not None and self._clock() < failed.next_update else None

    def _begun(
        self, key: _Key, question: Question, issuers: Sequence[x509.Certificate], place: asyncio.Semaphore
    ) -> _Lookup:
        """Begin to look into a question, in the place of a station, which is free again when that has ended."""
        lookup = _Lookup(partial(self._forget, key))
        asking = self._find(lookup, question, issuers)
        lookup.task = asyncio.create_task(asking, name="asking for a certificate's status")
        lookup.task.add_done_callback(lambda _: self._forget(key, lookup))
        lookup.task.add_done_callback(lambda _: place.release())
        self._under_way[key] = lookup
        return lookup

    def _forget(self, key: _Key, lookup: _Lookup) -> None:
        if self._under_way.get(key) is lookup:
            del self._under_way[key]

    async def _find(self, lookup: _Lookup, question: Question, issuers: Sequence[x509.Certificate]) -> Found:
        objections: list[str] = []
        try:
            async with asyncio.timeout(self._deadline_s):
                found = await self._first(lookup, question, issuers, objections)
        except TimeoutError:
            found = None
            objections.append(f"nothing was found within {self._deadline_s:.3g} s")
        if found is not None:
            await lookup.see_through(self._remember(question, found))
            return found
        now = self._clock()
        failed = Found("Failed", now, now + AGAIN, why="; ".join(objections)[:_MOST_WHY])
        if lookup.is_wanted or len(objections) >= len(set(question.urls)):  # not all were asked where nobody waits
            while len(self._failed) >= _FAILURES_KEPT:
                self._failed.pop(next(iter(self._failed)))
            self._failed[_key(question, issuers)] = failed
        return failed

    async def _first(
        self, lookup: _Lookup, question: Question, issuers: Sequence[x509.Certificate], objections: list[str]
    ) -> Found | None:
        """Return what the first of the URLs tells that tells anything; note what is wrong with the others."""
        there = await until_done("looking for issuers", partial(self._issuers, question.named), is_away)
        known = [*issuers, *there]
        look = self._by_ocsp if question.source == "OCSP" else self._by_list
        for url in dict.fromkeys(question.urls):
            begun = time.monotonic()
            try:
                async with self._hosts.of(_host(url)), self._free:
                    found = await lookup.see_through(look(url, question, known))
            except (OutboundError, NoProofError) as error:
                objections.append(f"{url[:200]}: {error}")
                self._metrics.status_asked(question.source, "Failed", time.monotonic() - begun)
                if not lookup.is_wanted:
                    break
                continue
            self._metrics.status_asked(question.source, found.status, time.monotonic() - begun)
            return found
        return None

    async def _by_ocsp(self, url: str, asked: Question, known: Sequence[x509.Certificate]) -> Found:
        named = asked.named
        reply = await self._client.post(url, _OCSP, proofs.request(named), _MOST_RESPONSE)
        if reply.status != _OK:
            raise NoProofError(f"the responder answered {reply.status}")
        return await asyncio.to_thread(proofs.of_response, reply.body, named, known, self._clock(), self._counts_for)

    async def _by_list(self, url: str, asked: Question, known: Sequence[x509.Certificate]) -> Found:
        now = self._clock()
        kept = self._lists.get(url)
        if kept is not None and now < kept.until:
            held, size = kept.revoked, kept.size
        else:
            task = self._fetching.get(url)
            if task is None:
                task = asyncio.create_task(self._fetched(url), name="fetching a list of revoked certificates")
                self._fetching[url] = task
                task.add_done_callback(lambda _: self._fetching.pop(url, None))
            held, size = await asyncio.shield(task)
        found = await asyncio.to_thread(proofs.of_list, held, asked, known, now, self._counts_for)
        self._keep(url, _Kept(held, size, found.next_update))
        return found

    def _keep(self, url: str, kept: _Kept) -> None:
        """Keep a list in the place of those that were kept the longest, where there is no room for all."""
        self._lists.pop(url, None)
        others = sum(each.size for each in self._lists.values())
        while self._lists and (len(self._lists) >= _LISTS_KEPT or others + kept.size > _BYTES_KEPT):
            others -= self._lists.pop(next(iter(self._lists))).size
        if kept.size <= _BYTES_KEPT:
            self._lists[url] = kept

    async def _fetched(self, url: str) -> tuple[RevocationList, int]:
        async with asyncio.timeout(self._deadline_s), self._lists_free:
            reply = await self._client.get(url, _CRL)
        if reply.status != _OK:
            raise NoProofError(f"it answered {reply.status}")
        return await asyncio.to_thread(lists.read, reply.body), len(reply.body)


def _key(question: Question, issuers: Sequence[x509.Certificate]) -> _Key:
    """Return under what it is remembered: nobody may be able to tell only because the issuer is not known."""
    return question.key, bool(issuers)


def _host(url: str) -> str:
    """Return whom a URL asks; empty: it is none, and nobody is."""
    try:
        return target(url, plain=True).host.lower()
    except UnfitUrlError:
        return ""
