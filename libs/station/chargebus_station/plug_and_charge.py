"""How a vehicle asks its station for contract certificates.

Spec: OCPP 2.0.1 M01, M02; ISO 15118-2 8.4.3.4.1; ISO 15118-20 8.3.4.3.9
"""

import base64
from typing import Any, Final, Literal

from chargebus_station.effects import Message

ISO2: Final = "urn:iso:15118:2:2013:MsgDef"
ISO20: Final = "urn:iso:std:iso:15118:-20:CommonMessages"

_EXI_HEADER: Final = b"\x80"


def exi_of(pcid: str) -> str:
    """Return what stands for a vehicle's request, in base64: it names the vehicle, and is EXI by its first byte."""
    return base64.b64encode(_EXI_HEADER + pcid.encode()).decode()


def certificate_request(
    pcid: str, action: Literal["Install", "Update"] = "Install", most: int | None = None
) -> Message:
    """Return the request of a vehicle for its contract; one of ISO 15118-20 takes up to `most` of them.

    Spec: OCPP 2.0.1 M01.FR.01, M02.FR.01
    """
    schema = ISO2 if most is None else ISO20
    payload: dict[str, Any] = {"iso15118SchemaVersion": schema, "action": action, "exiRequest": exi_of(pcid)}
    if most is not None:
        payload["maximumContractCertificateChains"] = most
    return Message("Get15118EVCertificate", payload)
