"""OCPP 2.0.1: SignCertificate, CertificateSigned, TriggerMessage; 2.1 is read and answered the same way."""

import msgspec
from chargebus_events.frames import Frame

from chargebus_security.authorities.domain.profiles import COMBINED, STATION, V2G
from chargebus_security.signing import payload
from chargebus_security.signing.domain.policy import Refusal
from chargebus_security.signing.domain.request import CertificateRequest
from chargebus_security.signing.payload import SignCertificate

TRIGGERS = {
    STATION: "SignChargingStationCertificate",
    V2G: "SignV2GCertificate",
    COMBINED: "SignCombinedCertificate",
}

_INFO_LIMIT = 512


def sign_certificate(frame: Frame) -> SignCertificate:
    """Read a SignCertificate; without a type it is for both uses."""
    return payload.sign_certificate(frame)


def answered(_request: SignCertificate, refusal: Refusal | None) -> bytes:
    """Answer it, with why it is refused.

    Spec: OCPP 2.0.1 A02.FR.02, A02.FR.03
    """
    answer: dict[str, object] = {"status": payload.status(refusal)}
    if refusal is not None:
        answer["statusInfo"] = {"reasonCode": refusal.code, "additionalInfo": refusal.why[:_INFO_LIMIT]}
    return msgspec.json.encode(answer)


def certificate_signed(request: CertificateRequest) -> dict[str, object]:
    """Return the message that brings a certificate; one for both uses goes without a type, as it was asked for."""
    return {
        "certificateChain": request.chain,
        **({"certificateType": request.certificate_type} if request.certificate_type else {}),
    }
