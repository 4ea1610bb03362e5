"""Owns what a BootNotification is answered and what it leaves behind."""

from datetime import datetime
from typing import Final

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

    def completed(self, before: "Boot") -> "Boot":
        """Return it with what the station said before in place of a vendor or model that it does not say.

        Where it says neither, nothing that it leaves out is taken for gone: its make least of all.
        """
        if self.vendor and self.model:
            return self
        kept = _MAKE if self.vendor or self.model else _MAKE | _PARTS
        return msgspec.structs.replace(self, **{name: getattr(self, name) or getattr(before, name) for name in kept})

    def is_another(self, before: "Boot") -> bool:
        """Tell whether it is of another station than the one before: by the serial numbers, else by the make."""
        if self.serial_number and before.serial_number:
            return self.serial_number != before.serial_number
        return any(_differ(getattr(self, name), getattr(before, name)) for name in _MAKE)


_MAKE: Final = frozenset({"vendor", "model"})
_PARTS: Final = frozenset({"serial_number", "firmware_version", "iccid", "imsi", "meter_serial_number"})


def _differ(text: str, other: str) -> bool:
    return bool(text and other) and text != other


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


def completed(station: Station | None, report: BootReport) -> BootReport:
    """Return a boot with what its station said before in place of what it should say and does not."""
    if station is None or station.last_boot is None:
        return report
    return msgspec.structs.replace(report, boot=report.boot.completed(station.last_boot.boot))


def decide_boot(station: Station | None, report: BootReport, rules: Rules, now: datetime) -> BootDecision:
    """Answer a boot by the station's registration, or by the onboarding policy if nobody registered it.

    A station that sends the same boot again on the same connection gets an answer again; nothing else happens.

    Spec: OCPP 1.6 4.2; OCPP 2.0.1 B01.FR.02, B02, B03
    """
    registration = _ONBOARDED.get(rules.unknown_stations) if station is None else station.registration
    if registration is None:
        return BootDecision(BootAnswer("rejected", rules.interval_s("rejected"), now), station=None)
    answer = BootAnswer(registration, rules.interval_s(registration), now)
    last = station.last_boot.boot if station is not None and station.last_boot is not None else None
    boot = LastBoot(report.boot, report.epoch, registration)
    if station is not None and station.last_boot == boot:
        return BootDecision(answer, station)
    return BootDecision(
        answer,
        station=Station(report.station_id, registration, boot),
        created=station is None,
        booted=_booted(report, registration, replaced=last is not None and report.boot.is_another(last)),
    )


def _booted(report: BootReport, registration: Registration, *, replaced: bool) -> StationBooted:
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
        replaced=replaced,
    )
