"""A station's request for a certificate, from its CSR to what the station says of the certificate. Pure.

waiting ──> signed ──> sent ──> installed
   │          ^ └────────┤ (not reached)
   ├> refused └──────────┴──> declined, failed
   └> superseded (a newer request of the station for the same use)
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

State = Literal["waiting", "signed", "sent", "installed", "declined", "refused", "superseded", "failed"]
STATES: Final = ("waiting", "signed", "sent", "installed", "declined", "refused", "superseded", "failed")
OPEN: Final = frozenset({"waiting", "signed", "sent"})

_FIRST_WAIT: Final = timedelta(seconds=15)
_LONGEST_WAIT: Final = timedelta(hours=1)
_DOUBLINGS: Final = 10


class CertificateRequest(msgspec.Struct, frozen=True):
    """A request, and how far it has come.

    Attributes:
        certificate_type: OCPP's; empty: for both uses.
        station_request_id: its number at a station of OCPP 2.1.
        csr: in PEM, as it came; `fingerprint` is that of the CSR and its use: one gets one certificate in force.
        reason: why it waits, or ended, in words.
        due_at: when something is to be done about it.
        tries: how often the authority, or then the station, was asked.
        authority, serial_number, chain, not_after: of its certificate, once there is one.
        renew_at: when the station is to be asked for the next one.
        claimed_until: until when whoever has it signed is waited for; None: nobody has.
    """

    request_id: UUID
    station_id: str
    certificate_type: str
    station_request_id: int | None
    csr: str
    fingerprint: str
    created_at: datetime
    state: State
    changed_at: datetime
    reason: str = ""
    due_at: datetime | None = None
    tries: int = 0
    authority: str = ""
    serial_number: str = ""
    chain: str = ""
    not_after: datetime | None = None
    renew_at: datetime | None = None
    claimed_until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done about it."""
        return self.state in OPEN


class Certificate(msgspec.Struct, frozen=True):
    """What was signed, as it is sent."""

    authority: str
    serial_number: str
    chain: str
    not_before: datetime
    not_after: datetime


class Told(msgspec.Struct, frozen=True):
    """What came of a certificate that a station was sent; `reached`: it has answered, with `status` or by an error."""

    reached: bool
    status: str
    why: str


class Patience(msgspec.Struct, frozen=True):
    """How long a request may take, and how long before its end a certificate is renewed."""

    within: timedelta
    renew_before: timedelta


def asked_again(request: CertificateRequest, station_request_id: int | None, now: datetime) -> CertificateRequest:
    """Return a request whose CSR came once more: its one certificate goes out again, or it is signed (after all, anew).

    Spec: OCPP 2.0.1 A02.FR.17 to A02.FR.19: a station that waits too long sends it again
    """
    numbered = msgspec.structs.replace(request, station_request_id=station_request_id)
    if numbered.state in ("waiting", "sent"):
        return numbered
    if numbered.not_after is not None and numbered.not_after <= now:
        numbered = msgspec.structs.replace(numbered, authority="", serial_number="", chain="", not_after=None)
    state: State = "signed" if numbered.chain else "waiting"
    return _changed(numbered, state, "", now, due_at=now, tries=0, created_at=now)


def superseded(request: CertificateRequest, now: datetime) -> CertificateRequest:
    """Return a request that a newer one takes the place of."""
    return _changed(request, "superseded", "the station has sent a newer request", now)


def signed(request: CertificateRequest, certificate: Certificate, now: datetime) -> CertificateRequest:
    """Return a request whose certificate is there, to be sent at once."""
    return _changed(
        request,
        "signed",
        "",
        now,
        due_at=now,
        tries=0,
        authority=certificate.authority,
        serial_number=certificate.serial_number,
        chain=certificate.chain,
        not_after=certificate.not_after,
    )


def refused(request: CertificateRequest, why: str, now: datetime) -> CertificateRequest:
    """Return a request that is not signed."""
    return _changed(request, "refused", why, now)


def put_off(
    request: CertificateRequest, why: str, at: datetime | None, patience: Patience, now: datetime
) -> CertificateRequest:
    """Return a request for which an authority or a station is to be asked again: when it said, or ever more seldom."""
    if now >= request.created_at + patience.within:
        return _changed(request, "failed", why, now)
    waits = min(_FIRST_WAIT * 2 ** min(request.tries, _DOUBLINGS), _LONGEST_WAIT)
    due_at = min(max(at or now + waits, now + timedelta(seconds=1)), request.created_at + patience.within)
    state: State = "signed" if request.chain else "waiting"
    return _changed(request, state, why, now, due_at=due_at, tries=request.tries + 1)


def sent(request: CertificateRequest, now: datetime) -> CertificateRequest:
    """Return a request whose certificate is on its way."""
    return _changed(request, "sent", request.reason, now, tries=request.tries)


def told(request: CertificateRequest, came: Told, patience: Patience, now: datetime) -> CertificateRequest:
    """Return a request after its certificate was sent; one that is not on its way any more is as it was.

    Spec: OCPP 2.0.1 A02.FR.06 to A02.FR.10, A03
    """
    if request.state != "sent":
        return request
    if not came.reached:
        return put_off(request, came.why, None, patience, now)
    if came.status != "Accepted":
        return _changed(request, "declined", came.why or came.status, now)
    return _changed(request, "installed", "", now, renew_at=_renew_at(request, patience, now))


def _renew_at(request: CertificateRequest, patience: Patience, now: datetime) -> datetime | None:
    """Return when to renew: so long before the end, but not before two thirds of what is left have passed."""
    if request.not_after is None:
        return None
    return max(request.not_after - patience.renew_before, now + (request.not_after - now) * 2 / 3)


def cut(certificates: Sequence[str], limit: int) -> str:
    """Return as many certificates of a chain, in PEM, as have room: without its last; nothing, if the first has none.

    Spec: OCPP 2.0.1 CertificateSigned.certificateChain, MaxCertificateChainSize
    """
    chain = ""
    for certificate in certificates:
        if len(chain) + len(certificate) > limit:
            break
        chain += certificate
    return chain


def _changed(
    request: CertificateRequest, state: State, reason: str, now: datetime, **more: object
) -> CertificateRequest:
    fresh = {"due_at": None, "renew_at": None} | more
    return msgspec.structs.replace(request, state=state, reason=reason[:500], changed_at=now, **fresh)
