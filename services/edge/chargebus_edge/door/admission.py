"""Who is let in: the decision about one opening handshake, and the HTTP status of a refusal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from chargebus_edge.door import handshake
from chargebus_edge.door.credentials import Credentials, Verdict
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
    """A station that is let in; without a subprotocol it is let in only to be told that."""

    station_id: str
    terms: Terms
    subprotocol: str | None


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


@dataclass(frozen=True)
class Admission:
    """Decides who comes in. `crowded` tells whether the edge holds as many stations as it may."""

    obstacles: Obstacles
    registry: Registry
    credentials: Credentials
    crowded: Callable[[], bool]

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
        terms = self.registry.find(station_id)
        refusal = await self._authenticate(station_id, terms, request)
        if refusal is not None or terms is None:
            return refusal or _UNKNOWN
        if terms.security_profile > request.security_profile:
            return _LOW_PROFILE
        offers = handshake.offered(request.protocols)
        return Admitted(station_id, terms, handshake.choose(offers, terms.versions))

    async def _authenticate(self, station_id: str, terms: Terms | None, request: OpeningRequest) -> Refusal | None:
        presented = handshake.basic(request.authorization)
        if presented is None:
            return _NO_CREDENTIALS
        user, secret = presented
        if not handshake.is_user(user, station_id):
            return _WRONG_USER
        if terms is None:
            return _UNKNOWN
        verdict = self.credentials.check_now(station_id, secret, terms.password_hash)
        if verdict is None:
            verdict = await self.credentials.check_slowly(station_id, secret, terms.password_hash)
            if self.registry.find(station_id) != terms:
                verdict = Verdict.LATER  # the registry changed meanwhile
        if verdict is Verdict.LATER:
            return self._later("password checks full")
        return _WRONG_PASSWORD if verdict is Verdict.WRONG else self._obstacle()

    def _obstacle(self) -> Refusal | None:
        if self.obstacles.first is not None:
            return self._later(self.obstacles.first)
        return self._later("full") if self.crowded() else None

    def _later(self, reason: str) -> Refusal:
        return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, reason, (("Retry-After", self.obstacles.retry_after()),))
