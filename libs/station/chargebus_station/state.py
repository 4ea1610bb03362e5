"""What a station knows and holds at any moment, apart from its socket."""

import asyncio
import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from cryptography import x509

from chargebus_station.charging import Charge, Outlet, power_w
from chargebus_station.charging_habits import LAG_S, OVERDRAWN, UNDERSTATED, ChargingHabit
from chargebus_station.device_model import DeviceModel, Setting, Settings
from chargebus_station.effects import FirmwareOrder, LogOrder
from chargebus_station.limits import Limit, Moment
from chargebus_station.measurands import Sample
from chargebus_station.networks import Networks
from chargebus_station.own_certificates import OwnCertificates
from chargebus_station.profiles import ChargingProfiles
from chargebus_station.transaction import IdToken, Transaction

_FAR_S: Final = 7 * 24 * 3600.0


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

    @property
    def soc_percent(self) -> float | None:
        """The vehicle's state of charge: known of DC vehicles only."""
        return None if self.charge is None or self.outlet.phases else round(self.charge.soc * 100, 1)

    def read(self, at: datetime, limit_w: float, shown_share: float = 1.0) -> Sample:
        """Return what the meter shows: all of the power, or a share of it where it lies."""
        shown = Sample(at, int(self.register_wh), phases=self.outlet.phases)
        if self.charge is None:
            return shown
        drawn_w = round(power_w(self.charge, limit_w) * shown_share, 1)
        return replace(shown, power_w=drawn_w, used=self.charge.phases, soc_percent=self.soc_percent)


@dataclass
class Firmware:
    """The version that a station has, and the update that it is about; `installing`: it cannot be called off."""

    version: str
    order: FirmwareOrder | None = None
    task: asyncio.Task[None] | None = None
    status: str = "Idle"
    installing: bool = False


@dataclass
class LogUpload:
    """The log that a station is sending."""

    order: LogOrder | None = None
    task: asyncio.Task[None] | None = None
    status: str = "Idle"


@dataclass
class StationState:
    """Everything that a CSMS can ask a station for or set in it."""

    station_id: str
    evses: dict[int, Evse]
    device: DeviceModel
    settings: Settings
    firmware: Firmware
    networks: Networks
    log_upload: LogUpload = field(default_factory=LogUpload)
    published: dict[str, bytes] = field(default_factory=dict)
    """The images that a local controller offers, by their MD5 checksums."""
    profiles: ChargingProfiles = field(default_factory=ChargingProfiles)
    reservations: dict[int, Reservation] = field(default_factory=dict)
    local_list_version: int = 0
    local_list: dict[str, str] = field(default_factory=dict)
    """Token to status, as the CSMS sent it."""
    cache: dict[str, str] = field(default_factory=dict)
    """Token to status, as learned from answers."""
    own_certificates: OwnCertificates = field(default_factory=OwnCertificates)
    displays: dict[int, dict[str, Any]] = field(default_factory=dict)
    certificates: dict[str, list[x509.Certificate]] = field(default_factory=dict)
    """What the station trusts, by the type that its version has for it."""
    monitors: dict[int, dict[str, Any]] = field(default_factory=dict)
    tariffs: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Default tariff by EVSE (2.1)."""
    running_costs: dict[str, float] = field(default_factory=dict)
    charging_habits: set[ChargingHabit] = field(default_factory=set)
    offline_since: datetime | None = None
    """When the connection was lost; None while there is one, and before the first."""
    priority: set[str] = field(default_factory=set)
    """The transactions that use priority charging (2.1)."""

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

    def moment(self, evse: Evse, now: datetime) -> Moment:
        """Return what limits of an EVSE depend on."""
        transaction = evse.transaction
        return Moment(
            now=now,
            begun_at=None if transaction is None else transaction.entry.started_at,
            offline_s=0.0 if self.offline_since is None else (now - self.offline_since).total_seconds(),
            soc_percent=evse.soc_percent,
            priority=transaction is not None and transaction.transaction_id in self.priority,
        )

    def limit(self, evse: Evse, now: datetime, as_of: datetime | None = None) -> Limit:
        """Return the limit that the charging profiles put on an EVSE now, as the station tells it.

        What limits the whole station is shared by those EVSEs that charge.
        """
        charging = sum(other.charge is not None and not other.charge.full for other in self.evses.values())
        return self.profiles.limit(evse.id, self.moment(evse, now), charging, as_of)

    def limit_w(self, evse: Evse, now: datetime) -> float:
        """Return by how much an EVSE really limits its vehicle now, with the station's habits."""
        if ChargingHabit.IGNORES_LIMITS in self.charging_habits:
            return math.inf
        as_of = now - timedelta(seconds=LAG_S) if ChargingHabit.LAGS in self.charging_habits else None
        limit = self.limit(evse, now, as_of)
        factor = OVERDRAWN if ChargingHabit.OVERDRAWS in self.charging_habits else 1.0
        return limit.times(factor).watts(evse.outlet, None if evse.charge is None else evse.charge.phases)

    def limit_changes_in_s(self, evse: Evse, now: datetime, within_s: float) -> float:
        """Return in how many seconds the limit may change by itself, at the latest `within_s`."""
        until = now + timedelta(seconds=min(within_s, _FAR_S))
        instants = self.profiles.changes(self.moment(evse, now), until)
        bites_at = self.profiles.changed_at + timedelta(seconds=LAG_S)
        if ChargingHabit.LAGS in self.charging_habits and now < bites_at:
            instants = [bites_at, *(at + timedelta(seconds=LAG_S) for at in instants)]
        if self.offline_since is not None:
            ends = (
                self.offline_since + timedelta(seconds=p.max_offline_s)
                for p in self.profiles.held
                if p.max_offline_s < _FAR_S
            )
            instants = [*instants, *(at for at in ends if at > now)]
        return min((min(instants) - now).total_seconds(), within_s) if instants else within_s

    def shown(self, evse: Evse, now: datetime) -> Sample:
        """Return what the meter of an EVSE shows now."""
        share = UNDERSTATED if ChargingHabit.UNDERSTATES in self.charging_habits else 1.0
        return evse.read(now, self.limit_w(evse, now), share)

    def count_profiles(self) -> None:
        """Show how many profiles there are, in versions that have a variable for it."""
        self.settings.put(Setting.PROFILES_HELD, str(len(self.profiles.held)))

    def knows(self, token: IdToken) -> bool:
        """Whether the token may charge without asking.

        Spec: OCPP 1.6 3.5.1 to 3.5.4; OCPP 2.0.1 C10.FR.02, C13.FR.01
        """
        listed = self.local_list.get(token.text)
        return (listed or self.cache.get(token.text)) == "Accepted"
