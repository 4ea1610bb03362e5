"""Whether a station is well after its update: it is there, has the version, no new fault, and charges again; pure."""

from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from chargebus_firmware.campaigns.domain.campaign import Campaign, Member, Rules, moved

ILLNESSES: Final = ("not_back", "changed_version", "faulted", "not_charging")
"""Why a station fails whose update has succeeded."""


class Facts(Protocol):
    """What is known of a station, as far as campaigns need to know it."""

    @property
    def firmware_version(self) -> str: ...  # noqa: D102 - see `stations`
    @property
    def time_zone(self) -> str: ...  # noqa: D102
    @property
    def removed(self) -> bool: ...  # noqa: D102
    @property
    def online(self) -> bool: ...  # noqa: D102
    @property
    def faulted(self) -> bool: ...  # noqa: D102
    @property
    def open_sessions(self) -> int: ...  # noqa: D102
    @property
    def last_ended_at(self) -> datetime | None: ...  # noqa: D102


def begin_check(member: Member, rules: Rules, at: datetime) -> Member:
    """Return a station whose update brought the version; it is looked at when it had time to settle."""
    known = msgspec.structs.replace(member, updated_at=at, look_at=at + timedelta(seconds=rules.settle_s))
    return moved(known, "checking", at)


def checked(campaign: Campaign, member: Member, station: Facts | None, now: datetime) -> Member:
    """Return a station after it was looked at: well, failed, or to be looked at later."""
    if station is None or station.removed:
        return moved(member, "skipped", now, "removed", "The station is not registered any more.")
    rules, since = campaign.rules, member.updated_at or now
    settled_at = since + timedelta(seconds=rules.settle_s)
    if now < settled_at:
        return _later(member, settled_at)
    ill = _ill(campaign, member, station)
    if ill is not None:
        given_up_at = settled_at + timedelta(seconds=rules.settle_s)
        return _later(member, given_up_at) if now < given_up_at else moved(member, "failed", now, *ill)
    return _charges(member, rules, station, now)


def _charges(member: Member, rules: Rules, station: Facts, now: datetime) -> Member:
    since = member.updated_at or now
    if not _is_to_charge(member, rules) or _charged_since(station, since):
        return moved(member, "succeeded", now)
    charged_by = since + timedelta(seconds=rules.charge_within_s)
    if now < charged_by:
        return _later(member, charged_by)
    detail = f"It charged vehicles before, and none within {rules.charge_within_s:.0f} s after its update."
    return moved(member, "failed", now, "not_charging", detail)


def _ill(campaign: Campaign, member: Member, station: Facts) -> tuple[str, str] | None:
    if station.firmware_version not in ("", campaign.version):
        return "changed_version", f"It came back with the new version, and runs {station.firmware_version} now."
    if not station.online:
        return "not_back", "It booted with the new version, and is not connected any more."
    if station.faulted and not member.faulted_before:
        return "faulted", "It is faulted, and was not before its update."
    return None


def _is_to_charge(member: Member, rules: Rules) -> bool:
    if member.charged_before is None or member.began_at is None or rules.charge_within_s <= 0:
        return False
    return member.charged_before >= member.began_at - timedelta(seconds=rules.charge_within_s)


def _charged_since(station: Facts, at: datetime) -> bool:
    return station.last_ended_at is not None and station.last_ended_at > at


def _later(member: Member, at: datetime) -> Member:
    return msgspec.structs.replace(member, look_at=at)
