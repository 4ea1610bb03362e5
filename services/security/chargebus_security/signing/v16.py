"""OCPP 1.6, security extension: SignCertificate, CertificateSigned, ExtendedTriggerMessage."""

import msgspec
from chargebus_events.frames import Frame

from chargebus_security.authorities.domain.profiles import STATION
from chargebus_security.signing import payload
from chargebus_security.signing.domain.policy import Refusal
from chargebus_security.signing.domain.request import CertificateRequest
from chargebus_security.signing.payload import SignCertificate

TRIGGERS = {STATION: "SignChargePointCertificate"}


def sign_certificate(frame: Frame) -> SignCertificate:
    """Read a SignCertificate: there is one type of certificate."""
    return payload.sign_certificate(frame, STATION)


def answered(_request: SignCertificate, refusal: Refusal | None) -> bytes:
    """Answer it; why it is refused has no room."""
    return msgspec.json.encode({"status": payload.status(refusal)})


def certificate_signed(request: CertificateRequest) -> dict[str, object]:
    """Return the message that brings a certificate."""
    return {"certificateChain": request.chain}
