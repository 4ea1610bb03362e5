"""Whether a client certificate was revoked: by lists that are at hand, else by whom its issuer names for that (OCSP).

It is asked between the TLS handshake and the answer to the opening request, so that nobody else waits. Answers are kept
as long as they count; a certificate is asked about once at a time, and a responder that is away again and again not for
a while: a fleet that comes back at once shall not wait for it one by one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, Literal, TypeVar

from chargebus_certificates import responses
from chargebus_certificates.names import name_of
from chargebus_certificates.proof import UNREADABLE, NoProofError, Proof
from chargebus_runtime.clock import Clock
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from chargebus_edge.counts import Counts
from chargebus_edge.door.certificates import ClientCertificate
from chargebus_edge.tls.revocation_lists import RevocationLists

RevocationPolicy = Literal["off", "soft", "hard"]
"""`soft` lets in whose state nobody tells, `hard` does not."""

REST: Final = timedelta(seconds=30)
"""How long a responder is not asked that gave no answer, several times in a row."""

RESTS_AFTER: Final = 3
"""So many times: one failure alone would have `soft` let in all that the responder tells of."""

COUNTS_FOR: Final = timedelta(minutes=10)
"""How long an answer counts that does not say how long."""

_NAMED_BY: Final = hashes.SHA1()  # noqa: S303 - it names the issuer, and proves nothing: every responder knows it
KEPT: Final = 200_000
"""Answers that are kept, and authorities that were seen."""

ASKED_AT_ONCE: Final = 64
MOST_ABOVE: Final = 8
NEVER: Final = datetime.min.replace(tzinfo=UTC)

K = TypeVar("K")
V = TypeVar("V")

Ask = Callable[[str, bytes], Awaitable[bytes]]
"""Posts an OCSP request to a URL and returns the answer; raises NoProofError where none comes."""


class Revoked(Enum):
    """What is known of a certificate."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RevocationParts:
    """What is needed to tell.

    Attributes:
        policy: what counts.
        anchors, lists: return those that are used now.
        ask: asks a responder; None: none is asked.
        counts: counts what nobody told.
    """

    policy: RevocationPolicy
    anchors: Callable[[], Sequence[x509.Certificate]]
    lists: Callable[[], RevocationLists]
    ask: Ask | None
    clock: Clock
    counts: Counts


class Revocation:
    """Tells whether certificates were revoked."""

    def __init__(self, parts: RevocationParts) -> None:
        self._parts = parts
        self._told: OrderedDict[bytes, Proof] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Proof | None]] = {}
        self._issuers: OrderedDict[bytes, x509.Certificate] = OrderedDict()  # by their own fingerprints
        self._above: OrderedDict[bytes, bytes] = OrderedDict()  # whose issuer has which fingerprint
        self._resting: dict[str, datetime] = {}  # responders, until when
        self._failures: OrderedDict[str, int] = OrderedDict()  # of responders, in a row
        self._turns = asyncio.Semaphore(ASKED_AT_ONCE)

    async def refuses(self, certificate: ClientCertificate) -> Revoked | None:
        """Return for what a certificate is refused, None if it is not."""
        if self._parts.policy == "off":
            return None
        state = await self._state(certificate)
        if state is Revoked.UNKNOWN:
            self._parts.counts.events["revocation_unknown"] += 1
        if state is Revoked.UNKNOWN and self._parts.policy == "soft" and not self._is_of_a_stranger(certificate):
            return None
        return None if state is Revoked.NO else state

    def remember(self, certificate: ClientCertificate) -> None:
        """Keep who has issued what a handshake proved: when its session is resumed, nobody shows it again."""
        if self._parts.policy != "off" and not certificate.resumed:
            for _ in self._pairs(certificate):
                pass

    def _is_of_a_stranger(self, certificate: ClientCertificate) -> bool:
        """Tell whether a session was resumed, and who has issued what its first handshake showed is not known."""
        return certificate.resumed and any(issuer is None for _, issuer in self._pairs(certificate))

    async def _state(self, certificate: ClientCertificate) -> Revoked:
        """Return the worst that is known of the certificate and those above it, but for what is trusted as it is."""
        state = Revoked.NO
        for each, issuer in self._pairs(certificate):
            revoked = None if issuer is None else await self._is_revoked(each, issuer)
            if revoked:
                return Revoked.YES
            if revoked is None:
                state = Revoked.UNKNOWN
        return state

    def _pairs(self, certificate: ClientCertificate) -> Iterator[tuple[x509.Certificate, x509.Certificate | None]]:
        anchors = self._parts.anchors()
        trusted = {_fingerprint(each) for each in anchors}
        one = certificate.leaf
        for _ in range(MOST_ABOVE):
            if _fingerprint(one) in trusted:
                return
            issuer = self._issuer(one, (*certificate.chain, *anchors))
            yield one, issuer
            if issuer is None:
                return
            one = issuer

    def _issuer(self, one: x509.Certificate, candidates: Sequence[x509.Certificate]) -> x509.Certificate | None:
        """Return who has signed a certificate; of a session that is resumed, who was seen to before."""
        name = _fingerprint(one)
        known = self._issuers.get(self._above.get(name, b""))
        if known is not None:
            return known
        for each in candidates:
            if each.subject == one.issuer and _has_issued(each, one):
                _keep(self._issuers, _fingerprint(each), each)
                _keep(self._above, name, _fingerprint(each))
                return each
        return None

    async def _is_revoked(self, one: x509.Certificate, issuer: x509.Certificate) -> bool | None:
        now = self._parts.clock()
        listed = self._parts.lists().revoked(one, issuer, now)
        if listed is not None:
            return listed
        name = _fingerprint(one)
        told = self._told.get(name)
        if told is not None and now <= told.until:
            return told.state == "Revoked"
        url = responses.responder(one)
        if self._parts.ask is None or url is None or self._resting.get(url, NEVER) > now:
            return None
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = asyncio.ensure_future(self._ask(self._parts.ask, url, one, issuer))
            asking.add_done_callback(lambda _: self._asking.pop(name, None))
        new = await asyncio.shield(asking)
        return None if new is None else new.state == "Revoked"

    async def _ask(self, ask: Ask, url: str, one: x509.Certificate, issuer: x509.Certificate) -> Proof | None:
        answer: bytes | None = None
        try:
            async with self._turns:
                if self._resting.get(url, NEVER) > self._parts.clock():
                    return None  # it gave others no answer meanwhile
                name = name_of(one, issuer, _NAMED_BY)
                answer = await ask(url, responses.request(name))
            self._failures.pop(url, None)
            told = responses.read(answer, name, (issuer,), self._parts.clock(), COUNTS_FOR)
            if told.state == "Unknown":
                raise NoProofError("the responder does not know the certificate")
        except NoProofError as error:
            self._parts.counts.note("no_revocation_answer", url, str(error))
            if answer is None:
                self._rest(url, self._parts.clock())
            return None
        _keep(self._told, _fingerprint(one), told)
        return told

    def _rest(self, url: str, now: datetime) -> None:
        """Let a responder rest that failed once too often; one failure after a rest is enough for the next."""
        failures = self._failures.get(url, 0) + 1
        _keep(self._failures, url, failures)
        if failures < RESTS_AFTER:
            return
        self._resting = {other: until for other, until in self._resting.items() if until > now}
        self._resting[url] = now + REST


def _fingerprint(certificate: x509.Certificate) -> bytes:
    return certificate.fingerprint(hashes.SHA256())


def _has_issued(issuer: x509.Certificate, one: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def _keep(kept: OrderedDict[K, V], name: K, value: V) -> None:
    kept[name] = value
    if len(kept) > KEPT:
        kept.popitem(last=False)
