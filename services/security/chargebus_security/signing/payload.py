"""Payloads ↔ domain: what the versions have in common."""

from datetime import datetime

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader

from chargebus_security.authorities.domain.profiles import COMBINED
from chargebus_security.signing.domain.policy import Refusal


class SignCertificate(msgspec.Struct, frozen=True):
    """What a station wants signed."""

    station_id: str
    certificate_type: str
    csr: str
    station_request_id: int | None
    at: datetime


class _SignCertificate(Payload, frozen=True):
    csr: str
    certificate_type: str = COMBINED
    request_id: int | None = None


_sign_certificate = reader(_SignCertificate)


def sign_certificate(frame: Frame, certificate_type: str | None = None) -> SignCertificate:
    """Read a SignCertificate; of a type, where the version knows but one."""
    read = _sign_certificate(frame.payload)
    kind = read.certificate_type if certificate_type is None else certificate_type
    return SignCertificate(frame.station_id, kind, read.csr, read.request_id, frame.received_at)


def status(refusal: Refusal | None) -> str:
    """Return whether it is taken, in OCPP's words."""
    return "Accepted" if refusal is None else "Rejected"
