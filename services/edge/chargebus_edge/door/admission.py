"""Who is let in: the decision about one opening handshake, and the HTTP status of a refusal."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from chargebus_ocppj.versions import SUBPROTOCOLS

from chargebus_edge.door import handshake
from chargebus_edge.door.credentials import Checked, Credentials, Verdict
from chargebus_edge.door.handshake import Speech
from chargebus_edge.door.registry import Registry, Terms
from chargebus_edge.log.obstacles import Obstacles

PLAIN_PROFILE: Final = 1
"""The security profile of a listener without TLS: Basic credentials, nothing else."""


@dataclass(frozen=True)
class OpeningRequest:
    """What counts of an opening request."""

    target: str
    authorization: Sequence[str]
    protocols: Sequence[str]
    security_profile: int = PLAIN_PROFILE


@dataclass(frozen=True)
class Admitted:
    """A station that is let in; without a `speech` it is let in only to be told that.

    `stored` is the stored form of the password that it used; `deviations` say what it was forgiven.
    """

    station_id: str
    terms: Terms
    speech: Speech | None
    stored: str = ""
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """A refused handshake; `reason` is what it is counted under."""

    status: HTTPStatus
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


_NO_STATION = Refusal(HTTPStatus.NOT_FOUND, "bad identity")
_NO_CREDENTIALS = Refusal(
    HTTPStatus.UNAUTHORIZED, "no credentials", (("WWW-Authenticate", 'Basic realm="ocpp", charset="UTF-8"'),)
)
_WRONG_USER = Refusal(HTTPStatus.UNAUTHORIZED, "wrong user", _NO_CREDENTIALS.headers)
_UNKNOWN = Refusal(HTTPStatus.UNAUTHORIZED, "unknown station", _NO_CREDENTIALS.headers)
_WRONG_PASSWORD = Refusal(HTTPStatus.UNAUTHORIZED, "wrong password", _NO_CREDENTIALS.headers)
_LOW_PROFILE = Refusal(HTTPStatus.FORBIDDEN, "security profile too low")


_CHANGES: Final = 3
"""How often the registry may change during a handshake before the station is told to come again."""


@dataclass(frozen=True)
class Admission:
    """Decides who comes in. `crowded` tells whether the edge holds as many stations as it may.

    `newest` waits until all that the registry says now is read, and tells whether it is: only then somebody is turned
    away for what it says, for what an operator was told about a station holds for whoever connects after that.
    """

    obstacles: Obstacles
    registry: Registry
    credentials: Credentials
    crowded: Callable[[], bool]
    newest: Callable[[], Awaitable[bool]]

    async def admit(self, request: OpeningRequest) -> Admitted | Refusal:
        """Decide about a handshake.

        A station that is not known and one with a wrong password get the same answer: it tells nothing about who
        exists. Spec: OCPP 2.0.1 A00.FR.201 to 207; OCPP-J 1.6 3.1.1 and 2.0.1 Part 4, 3.2 (404 for a bad identity)
        """
        obstacle = self._obstacle()
        if obstacle is not None:
            return obstacle
        station_id = handshake.identity(request.target)
        if station_id is None:
            return _NO_STATION
        credentials = handshake.basic(request.authorization)
        if credentials is None:
            return _NO_CREDENTIALS
        secret = handshake.password(credentials, station_id)
        return _WRONG_USER if secret is None else await self._admit(station_id, secret, request)

    async def _admit(self, station_id: str, secret: bytes, request: OpeningRequest) -> Admitted | Refusal:
        is_newest = False
        for _ in range(_CHANGES):
            terms = self.registry.find(station_id)
            decision = await self._decide(station_id, secret, terms, request)
            if not is_newest and _denies(decision):
                is_newest = await self.newest()
                if not is_newest:
                    return self._later("registry not read")
            if self.registry.find(station_id) == terms:
                return decision if isinstance(decision, Refusal) else self._obstacle() or decision
        return self._later("registry changes")

    async def _decide(
        self, station_id: str, secret: bytes, terms: Terms | None, request: OpeningRequest
    ) -> Admitted | Refusal:
        if terms is None:
            return _UNKNOWN
        checked = await self._check(station_id, secret, terms)
        if checked.verdict is Verdict.LATER:
            return self._later("password checks full")
        if checked.verdict is Verdict.WRONG:
            return _WRONG_PASSWORD
        if terms.security_profile > request.security_profile:
            return _LOW_PROFILE
        return self._admitted(station_id, terms, checked.stored, handshake.offered(request.protocols))

    def _admitted(self, station_id: str, terms: Terms, stored: str, offers: Sequence[str]) -> Admitted:
        """Let a station in with what it is to speak; one that is held to the specification has to name it rightly."""
        subprotocol = handshake.choose(offers, terms.versions)
        if subprotocol is not None:
            return Admitted(station_id, terms, Speech(SUBPROTOCOLS[subprotocol], subprotocol), stored)
        guessed = handshake.guess(offers, terms.versions)
        if guessed is None or not self.registry.tolerance(terms).accepts("", "handshake"):
            return Admitted(station_id, terms, None, stored)
        offered = f"the subprotocol {guessed.subprotocol!r}" if guessed.subprotocol else "no subprotocol"
        return Admitted(station_id, terms, guessed, stored, (f"{offered} was taken for OCPP {guessed.version}",))

    async def _check(self, station_id: str, secret: bytes, terms: Terms) -> Checked:
        checked = self.credentials.check_now(station_id, secret, terms.passwords)
        return checked or await self.credentials.check_slowly(station_id, secret, terms.passwords)

    def _obstacle(self) -> Refusal | None:
        if self.obstacles.first is not None:
            return self._later(self.obstacles.first)
        return self._later("full") if self.crowded() else None

    def _later(self, reason: str) -> Refusal:
        return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, reason, (("Retry-After", self.obstacles.retry_after()),))


def _denies(decision: Admitted | Refusal) -> bool:
    """Tell whether a station is turned away for what the registry says."""
    if isinstance(decision, Admitted):
        return decision.speech is None
    return decision.status is not HTTPStatus.SERVICE_UNAVAILABLE
