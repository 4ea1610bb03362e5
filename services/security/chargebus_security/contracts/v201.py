"""OCPP 2.0.1: Get15118EVCertificate, and the contract certificate of an Authorize, in its words."""

from typing import Final, Literal

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_security.contracts.domain.checks import Shown
from chargebus_security.contracts.domain.provisioning import CertificateRequest, Provided
from chargebus_security.status.domain.asked import Question
from chargebus_security.status.v201 import CertificateHashData

LONGEST: Final = 7500
"""How many characters an exiResponse has at most."""

_LONGEST_REASON: Final = 500


class _Get15118EVCertificate(Payload, frozen=True, rename="camel"):
    iso15118_schema_version: str = msgspec.field(name="iso15118SchemaVersion")
    action: Literal["Install", "Update"]
    exi_request: str


class _OcspRequestData(CertificateHashData, frozen=True, rename="camel"):
    responder_url: str = msgspec.field(name="responderURL")


class _IdToken(Payload, frozen=True, rename="camel"):
    id_token: str
    type: str


class _Authorize(Payload, frozen=True, rename="camel"):
    id_token: _IdToken
    certificate: str = ""
    iso15118_certificate_hash_data: tuple[_OcspRequestData, ...] = msgspec.field(
        name="iso15118CertificateHashData", default=()
    )


_read: Final = reader(_Get15118EVCertificate)
_read_authorize: Final = reader(_Authorize)


def wanted(frame: Frame) -> CertificateRequest:
    """Read a Get15118EVCertificate."""
    asked = _read(frame.payload)
    return CertificateRequest(frame.station_id, asked.action, asked.iso15118_schema_version, asked.exi_request)


def given(_request: CertificateRequest, found: Provided) -> dict[str, object]:
    """Return what the pool says to the vehicle, unread; or Failed, with why.

    Spec: OCPP 2.0.1 M01.FR.01, M02.FR.01
    """
    if found.exi:
        return {"status": "Accepted", "exiResponse": found.exi}
    info = {"reasonCode": found.reason, "additionalInfo": found.why[:_LONGEST_REASON]}
    return {"status": "Failed", "statusInfo": info, "exiResponse": ""}


def shown(frame: Frame) -> Shown:
    """Read an Authorize as far as its contract certificate is concerned. Spec: OCPP 2.0.1 C07.FR.01, FR.02, FR.06."""
    asked = _read_authorize(frame.payload)
    named = tuple(Question(each.named, "OCSP", (each.responder_url,)) for each in asked.iso15118_certificate_hash_data)
    return Shown(clean(asked.id_token.id_token), clean(asked.id_token.type), asked.certificate.strip(), named)
