"""SignCertificates of a batch: what is known of their stations is loaded once, each is judged, all are kept once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from chargebus_calls import Answer, Block, Call
from chargebus_ocppj import identities
from chargebus_runtime.batch import Batch

from chargebus_security.authorities import store as issued
from chargebus_security.authorities.domain.requests import SigningRequest, pem
from chargebus_security.metrics import Metrics
from chargebus_security.signing import store
from chargebus_security.signing.domain import request as life
from chargebus_security.signing.domain.policy import (
    INVALID,
    NOT_REGISTERED,
    TOO_MANY,
    Named,
    Policy,
    Refusal,
    judge,
    too_many,
)
from chargebus_security.signing.domain.request import CertificateRequest
from chargebus_security.signing.payload import SignCertificate
from chargebus_security.stations import store as stations
from chargebus_security.stations.domain import Station

_HOUR: Final = timedelta(hours=1)

Judged = SigningRequest | Refusal


@dataclass
class SigningState:
    """What a batch's calls are judged by, and what becomes of them."""

    now: datetime
    judged: dict[int, Judged]
    times: dict[str, int]
    in_force: Mapping[str, int]
    requests: dict[tuple[str, str], CertificateRequest]
    revoked: Collection[UUID]
    changed: dict[tuple[str, str], CertificateRequest] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

    def keep(self, request: CertificateRequest) -> None:
        """Note a request as it is by now."""
        key = request.station_id, request.fingerprint
        self.requests[key] = self.changed[key] = request


class SignCertificates(Block[SignCertificate, SigningState]):
    """Takes what stations want signed: the answer says whether, the certificate comes later."""

    def __init__(self, policy: Policy, metrics: Metrics) -> None:
        self._policy = policy
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[SignCertificate]]) -> SigningState:
        """Return what is known of the stations that call, and what their CSRs are worth."""
        station_ids = {call.request.station_id for call in calls}
        known = await stations.find(batch.connection, station_ids)
        called = await self._called(batch, known)
        judged = {id(call): self._judged(call.request, known, called) for call in calls}
        prints = {_fingerprint(call.request, judged[id(call)]) for call in calls}
        before = await store.lock_of(batch.connection, station_ids, prints)
        in_force = await issued.in_force(batch.connection, station_ids, batch.now)
        times = await store.recent(batch.connection, station_ids, batch.now - _HOUR)
        requests = {(each.station_id, each.fingerprint): each for each in before}
        revoked = await issued.revoked_of(batch.connection, {each.request_id for each in before if each.chain})
        return SigningState(batch.now, judged, dict(times), in_force, requests, revoked)

    def decide(self, state: SigningState, call: Call[SignCertificate]) -> Answer:
        """Take a CSR, or refuse it."""
        asked, judged = call.request, state.judged[id(call)]
        fingerprint = _fingerprint(asked, judged)
        before = state.requests.get((asked.station_id, fingerprint))
        if before is None:
            state.times[asked.station_id] = times = state.times.get(asked.station_id, 0) + 1
            why = too_many(self._policy, times, state.in_force.get(asked.station_id, 0))
            if why:
                refusal = Refusal(TOO_MANY, why)
                state.refusals.append(refusal)
                return call.answered(refusal)
        new = before or _new(asked, fingerprint, judged, state.now)
        if isinstance(judged, Refusal):
            state.refusals.append(judged)
            if not new.chain:
                state.keep(life.refused(new, judged.why, state.now))
            return call.answered(judged)
        if new.chain and new.request_id in state.revoked:
            refusal = Refusal(INVALID, "the certificate for this CSR was revoked: it takes a new key")
            state.refusals.append(refusal)
            return call.answered(refusal)
        if before is not None:
            new = life.asked_again(before, asked.station_request_id, state.now)
        for each in [*state.requests.values()]:
            same = (each.station_id, each.certificate_type) == (new.station_id, new.certificate_type)
            if same and each.is_open and each.request_id != new.request_id:
                state.keep(life.superseded(each, state.now))
        state.keep(new)
        return call.answered(None)

    async def save(self, batch: Batch, state: SigningState) -> None:
        """Keep what came in."""
        await store.keep(batch.connection, state.changed.values())
        for refusal in state.refusals:
            self._metrics.requests.add(1, {"outcome": "refused", "reason": refusal.code})
        taken = sum(request.state in ("waiting", "signed") for request in state.changed.values())
        if taken:
            self._metrics.requests.add(taken, {"outcome": "taken", "reason": ""})

    async def _called(self, batch: Batch, known: Mapping[str, Station]) -> Sequence[Station]:
        """Return the stations that have what these say is their serial number for id or serial number."""
        serials = {_serial(each) for each in known.values()} if "serial_number" in self._policy.named else set()
        return list((await stations.called(batch.connection, serials - {""})).values())

    def _judged(self, asked: SignCertificate, known: Mapping[str, Station], called: Sequence[Station]) -> Judged:
        station = known.get(asked.station_id)
        if station is None or not station.is_registered:
            return Refusal(NOT_REGISTERED, "nobody has registered the station")
        return judge(self._policy, asked.certificate_type, asked.csr, names_of(station, called))


def names_of(station: Station, called: Sequence[Station]) -> dict[Named, str]:
    """Return what a station is called; its serial number does not count if others, too, are called so."""
    serial = _serial(station)
    others = [each for each in called if each.station_id != station.station_id]
    taken = {name for each in others for name in (each.station_id, _serial(each))}
    return {"station_id": station.station_id, "serial_number": "" if serial in taken else serial}


def _serial(station: Station) -> str:
    return identities.canonical(station.make.serial_number) or ""


def _fingerprint(asked: SignCertificate, judged: Judged) -> str:
    """Return what tells a CSR apart, one that cannot be read as well; for another use it is another request."""
    own = judged.fingerprint if isinstance(judged, SigningRequest) else sha256(asked.csr.encode()).hexdigest()
    return f"{asked.certificate_type}/{own}"


def _new(asked: SignCertificate, fingerprint: str, judged: Judged, now: datetime) -> CertificateRequest:
    csr = pem(judged.der) if isinstance(judged, SigningRequest) else asked.csr.replace("\0", "")
    return CertificateRequest(
        request_id=uuid4(),
        station_id=asked.station_id,
        certificate_type=asked.certificate_type,
        station_request_id=asked.station_request_id,
        csr=csr,
        fingerprint=fingerprint,
        created_at=now,
        state="waiting",
        changed_at=now,
        due_at=now,
    )
