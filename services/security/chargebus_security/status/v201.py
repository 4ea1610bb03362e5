"""OCPP 2.0.1: GetCertificateStatus, in its words."""

import base64
from collections.abc import Sequence
from typing import Final

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader

from chargebus_security.inventory.domain.hashes import HashAlgorithm, HashData
from chargebus_security.status.domain.asked import Found, Question

LONGEST: Final = 5500
"""How many characters an ocspResult has at most."""

_LONGEST_REASON: Final = 500
_REASON: Final = "OCSPFailed"

Questions = tuple[Question, ...]


class CertificateHashData(Payload, frozen=True, rename="camel"):
    """CertificateHashDataType."""

    hash_algorithm: HashAlgorithm
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str

    @property
    def named(self) -> HashData:
        """The certificate that is meant."""
        return HashData(self.hash_algorithm, self.issuer_name_hash, self.issuer_key_hash, self.serial_number)


class _OcspRequestData(CertificateHashData, frozen=True, rename="camel"):
    responder_url: str = msgspec.field(name="responderURL")


class _GetCertificateStatus(Payload, frozen=True, rename="camel"):
    ocsp_request_data: _OcspRequestData


_read: Final = reader(_GetCertificateStatus)


def asked(frame: Frame) -> Questions:
    """Read a GetCertificateStatus."""
    data = _read(frame.payload).ocsp_request_data
    return (Question(data.named, "OCSP", (data.responder_url,)),)


def answer(_questions: Questions, found: Sequence[Found]) -> dict[str, object]:
    """Return what the responder answered, as it did; or Failed, with why. Spec: OCPP 2.0.1 M06.FR.01 to FR.04."""
    return told(found[0], LONGEST)


def told(found: Found, longest: int) -> dict[str, object]:
    """Return the answer to GetCertificateStatus, where an ocspResult may have so many characters."""
    result = base64.b64encode(found.response).decode()
    if found.status != "Failed" and len(result) <= longest:
        return {"status": "Accepted", "ocspResult": result}
    why = found.why or f"the responder's answer has {len(result)} characters, and OCPP allows {longest}"
    info = {"reasonCode": _REASON, "additionalInfo": why[:_LONGEST_REASON]}
    return {"status": "Failed", "statusInfo": info}
