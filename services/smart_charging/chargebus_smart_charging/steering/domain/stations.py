"""What is known of a station that is steered, and how it comes into the steering of its EVSEs."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from chargebus_smart_charging.steering.domain import steered as steering
from chargebus_smart_charging.steering.domain.held import Pulled
from chargebus_smart_charging.steering.domain.pieces import MessageLimit, halved
from chargebus_smart_charging.steering.domain.profiles import profile_id
from chargebus_smart_charging.steering.domain.reports import ReportedLimit, ReportedProfile, limit_of
from chargebus_smart_charging.steering.domain.said import Said
from chargebus_smart_charging.steering.domain.steered import Answer, Steerable, Steered

_ASK_AGAIN: Final = timedelta(hours=1)
_REPORT_EVERY: Final = timedelta(hours=6)
_FIRST_SPACING_S: Final = 60.0
_MOST_SPACING_S: Final = 600.0


class Station(msgspec.Struct, frozen=True, omit_defaults=True):
    """A station: whether it is connected, what it is, and what it said of itself.

    Attributes:
        epoch: orders its connections; `online_at` is since when it is connected or not.
        said: what it said when it was asked; `asked_at` is when it was asked the last time, in `pieces`, and `said_at`
            when the last of these was answered; `entries` are its answers to some of them.
        most: how much it may be asked at once, as it said since `most_at`; it was asked that at `most_asked_at`.
        profiles_asked_at: when it was asked to report its profiles, in a report of the id `report_id`.
        reported_at: when that was asked of which the report is whole; `defaults` are ours in it, by EVSE.
        measurands_asked_at: when it was told what to sample.
        update_spacing_s: it said that it was told too often: the least time between two updates since.
    """

    station_id: str
    online: bool = False
    epoch: int = -1
    online_at: datetime | None = None
    version: str = ""
    vendor: str = ""
    model: str = ""
    firmware_version: str = ""
    booted_at: datetime | None = None
    said: Said = Said()
    said_at: datetime | None = None
    asked_at: datetime | None = None
    pieces: int = 1
    entries: tuple[dict[str, Any], ...] = ()
    answered_pieces: int = 0
    most: MessageLimit = MessageLimit()
    most_at: datetime | None = None
    most_asked_at: datetime | None = None
    profiles_asked_at: datetime | None = None
    report_id: int = 0
    reported_at: datetime | None = None
    defaults: dict[int, ReportedLimit] = {}
    measurands_asked_at: datetime | None = None
    update_spacing_s: float | None = None

    @property
    def kind(self) -> tuple[str, str, str]:
        """Its make, model and firmware: stations of a kind behave alike."""
        return self.vendor, self.model, self.firmware_version


class Answered(msgspec.Struct, frozen=True):
    """What came of an order; `amperes` is what the station said that it allows, where it was asked that."""

    number: int
    answer: Answer
    at: datetime
    amperes: float | None = None


def connected(station: Station, at: datetime, epoch: int, version: str) -> Station:
    """Return it after it connected; an older connection is no news."""
    if epoch < station.epoch or (epoch == station.epoch and station.online):
        return station
    return msgspec.structs.replace(station, online=True, epoch=epoch, online_at=at, version=version or station.version)


def lost(station: Station, at: datetime, epoch: int) -> Station:
    """Return it after a connection ended; one that has been replaced by another is no news."""
    if epoch < station.epoch or not station.online:
        return station
    return msgspec.structs.replace(station, online=False, epoch=epoch, online_at=at)


def booted(station: Station, at: datetime, version: str, kind: tuple[str, str, str]) -> Station:
    """Return it after it booted, and said what it is; what it said of itself may have changed, and holds till then."""
    if station.booted_at is not None and at <= station.booted_at:
        return station
    vendor, model, firmware_version = kind
    if kind != station.kind:
        station = msgspec.structs.replace(station, most=MessageLimit(), most_at=None)
    return msgspec.structs.replace(
        station,
        booted_at=at,
        version=version or station.version,
        vendor=vendor,
        model=model,
        firmware_version=firmware_version,
        most_asked_at=None,
        update_spacing_s=None,
    )


def slowed(station: Station) -> Station:
    """Return it after it said that it is told too often: from now on less so."""
    spacing_s = station.update_spacing_s
    slower_s = _FIRST_SPACING_S if spacing_s is None else min(2 * spacing_s, _MOST_SPACING_S)
    return msgspec.structs.replace(station, update_spacing_s=slower_s)


def is_to_be_asked(station: Station, now: datetime) -> bool:
    """Tell whether a station is to say what it can take: after each boot, and again where it did not."""
    if not station.online:
        return False
    asked_at, booted_at = station.asked_at, station.booted_at
    if asked_at is None or (booted_at is not None and asked_at < booted_at):
        return True
    return (station.said_at is None or station.said_at < asked_at) and now >= asked_at + _ASK_AGAIN


def is_to_tell_limit(station: Station, now: datetime) -> bool:
    """Tell whether a station is to say how much it may be asked at once, before it is asked anything else."""
    if station.most_at is not None:
        return False
    return station.most_asked_at is None or now >= station.most_asked_at + _ASK_AGAIN


def limited(station: Station, most: MessageLimit, at: datetime) -> Station:
    """Return it after it said how much it may be asked at once, or did not: then it is asked all at once."""
    return msgspec.structs.replace(station, most=most, most_at=at)


def asked(station: Station, pieces: int, at: datetime) -> Station:
    """Return it after it was asked of itself, in so many pieces."""
    return msgspec.structs.replace(station, asked_at=at, pieces=pieces, entries=(), answered_pieces=0)


def noted(station: Station, before: Station, asking: Station) -> Station:
    """Return it as it is known now, with what it was asked by who knew it as it was before."""
    noted = msgspec.structs.replace(
        station,
        profiles_asked_at=asking.profiles_asked_at,
        report_id=asking.report_id,
        measurands_asked_at=asking.measurands_asked_at,
        most_asked_at=asking.most_asked_at,
    )
    if asking.asked_at == before.asked_at or asking.asked_at is None:
        return noted
    return asked(noted, asking.pieces, asking.asked_at)


def overasked(station: Station, questions: int) -> Station:
    """Return it after it has refused so many questions at once: it is asked again, fewer at a time."""
    if questions <= 1:
        return station
    return msgspec.structs.replace(station, most=halved(station.most, questions), asked_at=None)


def answered_piece(station: Station, entries: tuple[dict[str, Any], ...]) -> Station:
    """Return it after it has answered a piece of what it was asked of itself."""
    return msgspec.structs.replace(
        station, entries=(*station.entries, *entries), answered_pieces=station.answered_pieces + 1
    )


def said(station: Station, said: Said, at: datetime) -> Station:
    """Return it after it has said of itself what it was asked, to the last piece."""
    return msgspec.structs.replace(station, said=said, said_at=at, entries=())


def is_to_report(station: Station, evses: Sequence[Steered], now: datetime) -> bool:
    """Tell whether a station is to report its profiles: once its EVSEs have their defaults, and now and then.

    Again after each default that it was given, so that one which lost it is found to have it.
    """
    asked_at = station.profiles_asked_at
    if not station.online or any(map(_awaits_default, evses)):
        return False
    if asked_at is None or (station.booted_at is not None and asked_at < station.booted_at):
        return True
    given_at = [each.default.accepted.at for each in evses if each.default.accepted is not None]
    return now >= asked_at + _REPORT_EVERY or any(asked_at <= at for at in given_at)


def _awaits_default(steered: Steered) -> bool:
    """Tell whether its station is about to get its default: one that does not take it reports all the same."""
    return bool(steered.default.pending) or (steered.default.accepted is None and not steered.default_retry.strikes)


def reported(station: Station, profiles: Iterable[ReportedProfile]) -> Station:
    """Return it after it reported all of its profiles, as it was asked to."""
    defaults = {each.evse_id: limit_of(each.profile) for each in profiles if _is_default(each)}
    return msgspec.structs.replace(station, reported_at=station.profiles_asked_at, defaults=defaults)


def _is_default(reported: ReportedProfile) -> bool:
    return reported.profile_id == profile_id(reported.evse_id, "default")


def folded(  # noqa: PLR0913, PLR0917 - what became known of one EVSE, by its parts
    steered: Steered,
    station: Station,
    answers: Sequence[Answered],
    available_at: datetime | None,
    steerable: Steerable,
    pulled: Pulled | None = None,
) -> Steered:
    """Return the steering of an EVSE with what became known since: answers, boots, connections, in order.

    `available_at` is when its station said last that nothing is plugged in there, if that is so; `pulled` what it was
    answered last when it asked for a limit.
    """
    after = steered
    for answered in answers:
        after = steering.default_checked(after, answered.number, answered.answer, answered.amperes)
        verified_at = after.verified_at
        after = steering.answered(after, answered.number, answered.answer, answered.at)
        if answered.amperes is not None:
            after = msgspec.structs.replace(after, verified_at=verified_at)  # its word decides whether that was it
            after = steering.reported(after, answered.amperes, answered.at, answered.number)
    after = after if pulled is None else steering.pulled(after, pulled)
    booted_at = station.booted_at
    if booted_at is not None and (after.booted_at is None or booted_at > after.booted_at):
        after = steering.booted(after, booted_at, steerable)
    if station.reported_at is not None:
        default = station.defaults.get(steerable.evse.evse_id)
        default_a = None if default is None else default.amperes(steerable)
        after = steering.default_reported(after, default_a, station.reported_at)
    online_at = station.online_at
    if online_at is not None and (station.online != after.online or after.online_at != online_at):
        after = steering.connected(after, online_at) if station.online else steering.lost(after, online_at)
    if available_at is not None and after.use != "busy" and (after.use_at is None or available_at > after.use_at):
        after = steering.transaction_ended(after, available_at)
    return after
