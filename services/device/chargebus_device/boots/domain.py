"""Owns what a BootNotification is answered and what it leaves behind."""

from datetime import datetime

import msgspec
from chargebus_events.public import StationBooted
from chargebus_events.registry import Registration, UnknownStations

from chargebus_device.deviations.domain import Make


class Boot(msgspec.Struct, frozen=True):
    """What a station says of itself when it boots; empty strings where it says nothing."""

    vendor: str
    model: str
    serial_number: str = ""
    firmware_version: str = ""
    reason: str = ""
    iccid: str = ""
    imsi: str = ""
    meter_serial_number: str = ""

    @property
    def make(self) -> Make:
        """The make of the station."""
        return Make.of(self.vendor, self.model, self.firmware_version)


class BootReport(msgspec.Struct, frozen=True):
    """A boot as it reached the CSMS: on connection `epoch`, in OCPP `version`, at `received_at`."""

    station_id: str
    boot: Boot
    version: str
    epoch: int
    received_at: datetime


class LastBoot(msgspec.Struct, frozen=True):
    """The newest boot on record and the registration status that the station was told."""

    boot: Boot
    epoch: int
    told: Registration


class Station(msgspec.Struct, frozen=True):
    """What deciding about a boot needs to know of a registered station."""

    station_id: str
    registration: Registration
    last_boot: LastBoot | None = None


class Rules(msgspec.Struct, frozen=True):
    """What a boot is answered by: the onboarding policy, and intervals in seconds.

    `heartbeat_s` lies between the heartbeats of an accepted station, `retry_s` between the boots of any other.
    """

    unknown_stations: UnknownStations
    heartbeat_s: int
    retry_s: int

    def interval_s(self, registration: Registration) -> int:
        """Return the interval that goes with a registration status.

        Spec: OCPP 1.6 4.2; OCPP 2.0.1 B01.FR.04, B02.FR.04, BootNotificationResponse.interval
        """
        return self.heartbeat_s if registration == "accepted" else self.retry_s


class BootAnswer(msgspec.Struct, frozen=True):
    """What the station is told."""

    registration: Registration
    interval_s: int
    now: datetime


class BootDecision(msgspec.Struct, frozen=True):
    """The answer and its effects.

    `station` is the station's new state, None if it stays unknown; `created` tells that it came in by the
    onboarding policy; `booted` is the public event, None for a boot that was merely sent again.
    """

    answer: BootAnswer
    station: Station | None
    created: bool = False
    booted: StationBooted | None = None


_ONBOARDED: dict[UnknownStations, Registration] = {"accept": "accepted", "pending": "pending"}


def decide_boot(station: Station | None, report: BootReport, rules: Rules, now: datetime) -> BootDecision:
    """Answer a boot by the station's registration, or by the onboarding policy if nobody registered it.

    A station that sends the same boot again on the same connection gets an answer again; nothing else happens.

    Spec: OCPP 1.6 4.2; OCPP 2.0.1 B01.FR.02, B02, B03
    """
    registration = _ONBOARDED.get(rules.unknown_stations) if station is None else station.registration
    if registration is None:
        return BootDecision(BootAnswer("rejected", rules.interval_s("rejected"), now), station=None)
    answer = BootAnswer(registration, rules.interval_s(registration), now)
    boot = LastBoot(report.boot, report.epoch, registration)
    if station is not None and station.last_boot == boot:
        return BootDecision(answer, station)
    return BootDecision(
        answer,
        station=Station(report.station_id, registration, boot),
        created=station is None,
        booted=_booted(report, registration),
    )


def _booted(report: BootReport, registration: Registration) -> StationBooted:
    boot = report.boot
    return StationBooted(
        station_id=report.station_id,
        at=report.received_at,
        registration=registration,
        version=report.version,
        vendor=boot.vendor,
        model=boot.model,
        serial_number=boot.serial_number,
        firmware_version=boot.firmware_version,
        reason=boot.reason,
    )
