"""NotifyCustomerInformation and CustomerInformation, which are the same in 2.0.1 and 2.1 but for lengths."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from chargebus_calls import UnusableCallError
from chargebus_events.frames import Frame
from chargebus_events.personal import context_of
from chargebus_ocppj.payloads import Payload, reader
from chargebus_runtime.sealing import Sealing

from chargebus_notification.customer_information.domain import Part, Wanted

_ACTION: Final = "NotifyCustomerInformation"
_Whole = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class _NotifyCustomerInformation(Payload, frozen=True, rename="camel"):
    data: str
    seq_no: _Whole
    request_id: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    tbc: bool = False
    sealed: bool = False


_read: Final = reader(_NotifyCustomerInformation)


def part(frame: Frame) -> Part:
    """Read a NotifyCustomerInformation.

    Raises:
        UnusableCallError: it cannot be read. What it says is not in the message: it is personal.
    """
    try:
        said = _read(frame.payload)
    except msgspec.ValidationError as error:
        raise UnusableCallError(str(error)) from None
    return Part(frame.station_id, said.request_id, said.seq_no, _text(said.data), not said.tbc, sealed=said.sealed)


def opened(part: Part, sealing: Sealing, now: datetime) -> Part:
    """Return a part as its station said it, where its edge has sealed it.

    Raises:
        SealingError: there is no key for it, or its time is over.
    """
    if not part.sealed:
        return part
    text = sealing.open(part.data, context_of(_ACTION, part.station_id), now).decode("utf-8", "replace")
    return msgspec.structs.replace(part, data=_text(text), sealed=False)


def _text(said: str) -> str:
    return said.replace("\0", "")


def ask(wanted: Wanted, request_id: int) -> dict[str, object]:
    """Return CustomerInformation. Spec: OCPP 2.0.1 N09.FR.01 to FR.03, N10.FR.01."""
    certificate = wanted.certificate
    return {
        "customerCertificate": {
            "hashAlgorithm": certificate["hash_algorithm"],
            "issuerNameHash": certificate["issuer_name_hash"],
            "issuerKeyHash": certificate["issuer_key_hash"],
            "serialNumber": certificate["serial_number"],
        }
        if certificate
        else None,
        "idToken": {"idToken": wanted.id_token, "type": wanted.id_token_type} if wanted.id_token else None,
        "requestId": request_id,
        "report": wanted.report,
        "clear": wanted.clear,
        "customerIdentifier": wanted.customer_identifier or None,
    }
