"""OCPP 2.1: what it adds: vehicles that hold several contracts (ISO 15118-20)."""

from typing import Final

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader

from chargebus_security.contracts import v201
from chargebus_security.contracts.domain.provisioning import CertificateRequest, Provided

LONGEST: Final = 17_000


class _MoreContracts(Payload, frozen=True, rename="camel"):
    maximum_contract_certificate_chains: int | None = None
    prioritized_emaids: tuple[str, ...] = msgspec.field(name="prioritizedEMAIDs", default=())


_read: Final = reader(_MoreContracts)


def wanted(frame: Frame) -> CertificateRequest:
    """Read a Get15118EVCertificate."""
    more = _read(frame.payload)
    return msgspec.structs.replace(
        v201.wanted(frame), most=more.maximum_contract_certificate_chains, preferred=more.prioritized_emaids
    )


def given(request: CertificateRequest, found: Provided) -> dict[str, object]:
    """Return what the pool says to the vehicle, unread, and how many contracts it has left; or Failed, with why."""
    left = {} if found.remaining is None else {"remainingContracts": found.remaining}
    return v201.given(request, found) | left
