"""Who is let in: the decision about one opening handshake, and the HTTP status of a refusal."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from chargebus_ocppj.versions import SUBPROTOCOLS
from chargebus_runtime.clock import Clock
from chargebus_runtime.secrets import fingerprint

from chargebus_edge.door import certificates, handshake
from chargebus_edge.door.certificates import ClientCertificate, IdentityKind
from chargebus_edge.door.credentials import Checked, Credentials, Verdict
from chargebus_edge.door.handshake import Speech, Unspoken
from chargebus_edge.door.registry import Registry, Terms
from chargebus_edge.door.revocation import Revocation, Revoked
from chargebus_edge.log.obstacles import Obstacles

NO_CREDENTIALS, BASIC, BASIC_OVER_TLS, CLIENT_CERTIFICATE = range(4)
"""The security profiles.

Spec: OCPP 2.0.1 Part 2, A00, table 20 (1 to 3); 0 is none of them
"""


@dataclass(frozen=True)
class OpeningRequest:
    """What counts of an opening request; a `certificate` was shown in the TLS handshake, and is vouched for."""

    target: str
    authorization: Sequence[str]
    protocols: Sequence[str]
    encrypted: bool = False
    certificate: ClientCertificate | None = None


@dataclass(frozen=True)
class Proof:
    """How a station proved who it is: by a security profile, and what its credential is told by."""

    security_profile: int
    credential: str = ""


@dataclass(frozen=True)
class Admitted:
    """A station that is let in; without a `speech` it is let in only to be told that, for why it is `unspoken`.

    `deviations` say what it was forgiven.
    """

    station_id: str
    terms: Terms
    speech: Speech | None
    proof: Proof
    deviations: tuple[str, ...] = ()
    unspoken: Unspoken | None = None


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
_WRONG_CERTIFICATE = Refusal(HTTPStatus.FORBIDDEN, "certificate of another")
_REVOKED = Refusal(HTTPStatus.FORBIDDEN, "certificate revoked")
_EXPIRED_CERTIFICATE = Refusal(HTTPStatus.FORBIDDEN, "certificate expired")


_CHANGES: Final = 3
"""How often the registry may change during a handshake before the station is told to come again."""


@dataclass(frozen=True)
class AdmissionRules:
    """What an operator says of who comes in.

    `without_credentials`: a station that is registered with security profile 0 may come without any.
    `identity_kinds`: where in a client certificate the station's identity may stand.
    """

    without_credentials: bool = False
    identity_kinds: Sequence[IdentityKind] = ("cn", "san")


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
    clock: Clock
    rules: AdmissionRules
    revocation: Revocation

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
            return await self._admit(station_id, None, request) if self._may_lack(request) else _NO_CREDENTIALS
        secret = handshake.password(credentials, station_id)
        if secret is None and request.certificate is None:
            return _WRONG_USER
        return await self._admit(station_id, secret, request)

    def _may_lack(self, request: OpeningRequest) -> bool:
        """Tell whether there may be a station that needs no password."""
        return request.certificate is not None or self.rules.without_credentials

    async def _admit(self, station_id: str, secret: bytes | None, request: OpeningRequest) -> Admitted | Refusal:
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
        self, station_id: str, secret: bytes | None, terms: Terms | None, request: OpeningRequest
    ) -> Admitted | Refusal:
        if terms is None:
            return _UNKNOWN
        proof = await self._prove(station_id, secret, terms, request)
        if isinstance(proof, Refusal):
            return proof
        if terms.security_profile > proof.security_profile:
            return _LOW_PROFILE
        return self._admitted(station_id, terms, proof, handshake.offered(request.protocols))

    async def _prove(
        self, station_id: str, secret: bytes | None, terms: Terms, request: OpeningRequest
    ) -> Proof | Refusal:
        """Return by what a station proves who it is: its certificate, else its password, else nothing.

        A certificate has to be the station's own, whatever password comes with it. One that nobody registered needs the
        onboarding password besides.
        """
        certificate = request.certificate
        if certificate is not None:
            objection = await self._object(certificate, station_id, terms)
            if objection is not None:
                return objection
            if not terms.onboarding:
                return Proof(CLIENT_CERTIFICATE, certificate.fingerprint)
        if secret is None:
            may = self.rules.without_credentials and terms.security_profile == NO_CREDENTIALS
            return Proof(NO_CREDENTIALS) if may else _NO_CREDENTIALS
        checked = await self._check(station_id, secret, terms)
        if checked.verdict is Verdict.LATER:
            return self._later("password checks full")
        if checked.verdict is Verdict.WRONG:
            return _WRONG_PASSWORD
        return Proof(BASIC_OVER_TLS if request.encrypted else BASIC, fingerprint(checked.stored))

    async def _object(self, certificate: ClientCertificate, station_id: str, terms: Terms) -> Refusal | None:
        """Return why a certificate lets a station in nowhere.

        Spec: OCPP 2.0.1 A00.FR.404, A00.FR.405
        """
        if certificate.has_expired(self.clock()):
            return _EXPIRED_CERTIFICATE
        identity = terms.certificate_identity or station_id
        if not certificates.belongs(certificate, identity, terms.certificate_pins, self.rules.identity_kinds):
            return _WRONG_CERTIFICATE
        revoked = await self.revocation.refuses(certificate)
        if revoked is None:
            return None
        return _REVOKED if revoked is Revoked.YES else self._later("revocation unknown")

    def _admitted(self, station_id: str, terms: Terms, proof: Proof, offers: Sequence[str]) -> Admitted:
        """Let a station in with what it is to speak; one that is held to the specification has to name it rightly."""
        subprotocol = handshake.choose(offers, terms.versions)
        if subprotocol is not None:
            return Admitted(station_id, terms, Speech(SUBPROTOCOLS[subprotocol], subprotocol), proof)
        guessed = handshake.guess(offers, terms.versions)
        if guessed is None or not self.registry.tolerance(terms).accepts("", "handshake"):
            why = handshake.unspoken(offers, terms.versions)
            return Admitted(station_id, terms, None, proof, unspoken=why)
        offered = f"the subprotocol {guessed.subprotocol!r}" if guessed.subprotocol else "no subprotocol"
        return Admitted(station_id, terms, guessed, proof, (f"{offered} was taken for OCPP {guessed.version}",))

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
