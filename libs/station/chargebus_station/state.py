"""What a station knows and holds at any moment, apart from its socket."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from chargebus_station.charging import Charge, Outlet, power_w
from chargebus_station.device_model import DeviceModel, Settings
from chargebus_station.measurands import Sample
from chargebus_station.profiles import ChargingProfiles
from chargebus_station.transaction import IdToken, Transaction


class ConnectorState(StrEnum):
    """The state of a connector as finely as any version tells it (1.6 does)."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class Operability(StrEnum):
    """Whether an EVSE is in service. Spec: OCPP 2.0.1 OperationalStatusEnumType."""

    OPERATIVE = "Operative"
    INOPERATIVE = "Inoperative"


@dataclass(frozen=True)
class Reservation:
    """An EVSE kept for one driver; EVSE 0 means any."""

    id: int
    evse_id: int
    token: str
    group: str
    expires_at: datetime


@dataclass
class Evse:
    """One EVSE with its one connector and its meter."""

    id: int
    outlet: Outlet
    register_wh: float
    operability: Operability = Operability.OPERATIVE
    faulted: bool = False
    state: ConnectorState = ConnectorState.AVAILABLE
    transaction: Transaction | None = None
    charge: Charge | None = None
    occupied: bool = False
    """A driver is here, from the first thing done until the cable is unplugged."""
    awaits_token: bool = False
    """A vehicle is plugged in and nobody has been authorized for it yet."""

    @property
    def connector_id(self) -> int:
        """The number of the connector."""
        return 1

    @property
    def free(self) -> bool:
        """Whether a driver could use it."""
        return self.operability is Operability.OPERATIVE and not self.faulted and not self.occupied

    def at_rest(self, reservation: Reservation | None) -> ConnectorState:
        """Return the state of the connector when nobody is there."""
        if self.faulted:
            return ConnectorState.FAULTED
        if self.operability is Operability.INOPERATIVE:
            return ConnectorState.UNAVAILABLE
        return ConnectorState.RESERVED if reservation else ConnectorState.AVAILABLE

    def read(self, at: datetime, limit_w: float) -> Sample:
        """Return what the meter shows; the state of charge is known of DC vehicles only."""
        shown = Sample(at, int(self.register_wh), phases=self.outlet.phases)
        if self.charge is None:
            return shown
        soc_percent = None if self.outlet.phases else round(self.charge.soc * 100, 1)
        return replace(shown, power_w=round(power_w(self.charge, limit_w), 1), soc_percent=soc_percent)


@dataclass
class StationState:
    """Everything that a CSMS can ask a station for or set in it."""

    station_id: str
    evses: dict[int, Evse]
    device: DeviceModel
    settings: Settings
    profiles: ChargingProfiles = field(default_factory=ChargingProfiles)
    reservations: dict[int, Reservation] = field(default_factory=dict)
    local_list_version: int = 0
    local_list: dict[str, str] = field(default_factory=dict)
    """Token to status, as the CSMS sent it."""
    cache: dict[str, str] = field(default_factory=dict)
    """Token to status, as learned from answers."""
    displays: dict[int, dict[str, Any]] = field(default_factory=dict)
    monitors: dict[int, dict[str, Any]] = field(default_factory=dict)
    tariffs: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Default tariff by EVSE (2.1)."""
    running_costs: dict[str, float] = field(default_factory=dict)

    def reserved_for(self, evse_id: int, now: datetime) -> Reservation | None:
        """Return the reservation that keeps this EVSE, if one does."""
        for reservation in self.reservations.values():
            if reservation.evse_id == evse_id and reservation.expires_at > now:
                return reservation
        return None

    def transaction(self, transaction_id: str) -> Evse | None:
        """Return the EVSE on which the transaction is under way."""
        for evse in self.evses.values():
            if evse.transaction is not None and evse.transaction.transaction_id == transaction_id:
                return evse
        return None

    def limit_w(self, evse: Evse, now: datetime) -> float:
        """Return the limit that the charging profiles put on an EVSE now."""
        begun_at = None if evse.transaction is None else evse.transaction.entry.started_at
        return self.profiles.limit_w(evse.id, now, begun_at, evse.outlet)

    def knows(self, token: IdToken) -> bool:
        """Whether the token may charge without asking.

        Spec: OCPP 1.6 3.5.1 to 3.5.4; OCPP 2.0.1 C10.FR.02, C13.FR.01
        """
        listed = self.local_list.get(token.text)
        return (listed or self.cache.get(token.text)) == "Accepted"
