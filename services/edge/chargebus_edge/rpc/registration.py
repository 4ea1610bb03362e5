"""Which calls a station may make before it is accepted, and which it is spared."""

from collections.abc import Mapping
from typing import Final

import msgspec
from chargebus_events.registry import Registration

from chargebus_edge.log.routes import BOOT

_REPORTS: Final[Mapping[str, str]] = {"GetBaseReport": "NotifyReport", "GetReport": "NotifyReport"}
_NOT_WHILE_PENDING: Final = frozenset(
    {"RemoteStartTransaction", "RemoteStopTransaction", "RequestStartTransaction", "RequestStopTransaction"}
)
_TRIGGERS: Final = frozenset({"TriggerMessage", "ExtendedTriggerMessage"})

# Triggers that are not named after the action that they cause.
_CAUSED: Final[Mapping[str, str]] = {
    "SignChargePointCertificate": "SignCertificate",
    "SignChargingStationCertificate": "SignCertificate",
    "SignCombinedCertificate": "SignCertificate",
    "SignV2GCertificate": "SignCertificate",
    "SignV2G20Certificate": "SignCertificate",
}


class _Trigger(msgspec.Struct):
    requestedMessage: str  # noqa: N815 - OCPP's own name


_decode_trigger = msgspec.json.Decoder(_Trigger).decode


def _requested(payload: bytes) -> str:
    try:
        return _decode_trigger(payload).requestedMessage
    except msgspec.MsgspecError:
        return ""  # the station refuses such a trigger, so nothing is caused


class Permits:
    """What the station of one connection may call: everything when accepted, else what it was told to.

    Spec: OCPP 1.6 4.2; OCPP 2.0.1 B01.FR.10, B02.FR.02, B02.FR.09, B03.FR.07
    """

    __slots__ = ("_instructed", "_told", "registration")

    def __init__(self, registration: Registration) -> None:
        self.registration = registration
        self._told: Registration | None = None
        self._instructed: frozenset[str] = frozenset()

    def allows(self, action: str) -> bool:
        """Tell whether the station may call `action` now."""
        return (
            self.registration == "accepted"
            or action == BOOT
            or (self.registration == "pending" and action in self._instructed)
        )

    def tell(self, registration: Registration) -> None:
        """Note what a BootNotification is answered."""
        self.registration = self._told = registration

    def spares(self, action: str) -> bool:
        """Tell whether the CSMS must not call `action` now: a pending station, until it is told better, starts nothing.

        Spec: OCPP 1.6 4.2; OCPP 2.0.1 B02.FR.05
        """
        return action in _NOT_WHILE_PENDING and "pending" in {self.registration, self._told}

    def instruct(self, action: str, payload: bytes) -> None:
        """Note that the CSMS has sent `action`: what it causes is allowed on this connection from now on."""
        if self.registration == "accepted":
            return
        caused = _REPORTS.get(action)
        if action in _TRIGGERS:
            requested = _requested(payload)
            caused = _CAUSED.get(requested, requested)
        if caused:
            self._instructed |= {caused}
