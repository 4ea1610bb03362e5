"""What time does with an update: when it is asked, when its station is asked how it is, when it is given up."""

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from chargebus_firmware.updates.domain.update import RANK, Update, failed, noted

Probe: TypeAlias = Literal["BootNotification", "FirmwareStatusNotification"]
"""What a station is asked to send."""


class Patience(msgspec.Struct, frozen=True):
    """How long a station may take, in seconds.

    Attributes:
        silent_s: with no word of it before what it does is given up.
        boot_s: from the end of the installation until it is back with a version; also after it said that it is idle.
        work_s: how long one that was given up while it installed is not asked for another update.
    """

    silent_s: float = 4 * 3600.0
    boot_s: float = 1800.0
    work_s: float = 24 * 3600.0


def look_at(update: Update, patience: Patience) -> datetime | None:
    """Return when something is to be done about it next; None: never."""
    if not update.is_open:
        return None
    if update.phase == "waiting":
        return update.give_up_at if update.again_at is None else min(update.again_at, update.give_up_at)
    return due_at(update, patience) if update.probed_at is not None else probe_at(update, patience)


def due_at(update: Update, patience: Patience) -> datetime:
    """Return when one that was asked is given up if nothing more is heard."""
    return _since(update) + timedelta(seconds=_allowed_s(update, patience))


def probe_at(update: Update, patience: Patience) -> datetime:
    """Return when the station is to be asked how it is, if nothing is heard of it till then."""
    return _since(update) + timedelta(seconds=_allowed_s(update, patience) / 2)


def probe(update: Update, now: datetime, patience: Patience) -> Probe | None:
    """Return what the station is to be asked to send now, if anything.

    Its version, where it says that it is done and does not boot; but where it had the same before, that tells nothing.
    """
    if not update.is_open or update.phase == "waiting" or update.probed_at is not None:
        return None
    if now < probe_at(update, patience) or now >= due_at(update, patience):
        return None
    is_told_by_version = _is_back_soon(update) and not update.is_same_version
    return "BootNotification" if is_told_by_version else "FirmwareStatusNotification"


def after(update: Update, now: datetime, patience: Patience) -> Update:
    """Return it after time has passed."""
    if not update.is_open:
        return update
    if update.phase == "waiting":
        if now < update.give_up_at:
            is_past = update.again_at is not None and update.again_at <= now
            return msgspec.structs.replace(update, again_at=None) if is_past else update
        return _given_up(failed(update, "not_reached", now, "It was not there to be asked."), now, update)
    if now < due_at(update, patience):
        return update
    return _given_up(_silent(update, now), now, update)


def may_be_at_work(update: Update, now: datetime, patience: Patience) -> bool:
    """Tell whether the station may be loading or installing: then it is not asked for another.

    So does one that was given up while it installed, until it boots, says that it is idle, or long enough has passed.
    """
    if update.is_open:
        return True
    if update.reason not in ("silent", "unconfirmed") or update.idle or RANK[update.phase] < RANK["install_scheduled"]:
        return False
    booted_since = update.booted_at is not None and (update.heard_at is None or update.booted_at > update.heard_at)
    ended_at = update.ended_at or update.created_at
    return not booted_since and now < ended_at + timedelta(seconds=patience.work_s)


def _silent(update: Update, now: datetime) -> Update:
    if not _is_back_soon(update):
        return failed(update, "silent", now, f"Nothing was heard of it after {update.status or update.phase}.")
    if update.booted_at is None:
        return failed(update, "unconfirmed", now, "It did not boot after the installation.")
    if not update.booted_version:
        return failed(update, "unconfirmed", now, "It booted without saying its version.")
    if update.booted_version.strip() == update.version.strip():
        return failed(update, "unconfirmed", now, "It did not boot since it installed the version that it had before.")
    return failed(update, "wrong_version", now, f"It came back with {update.booted_version}.")


def _given_up(update: Update, now: datetime, before: Update) -> Update:
    return noted(update, now, "given up", before, update.detail)


def _is_back_soon(update: Update) -> bool:
    return RANK[update.phase] >= RANK["rebooting"]


def _allowed_s(update: Update, patience: Patience) -> float:
    return patience.boot_s if _is_back_soon(update) or update.idle else patience.silent_s


def _since(update: Update) -> datetime:
    """Return when anything was heard of it last, or is to be: silence before it is to begin means nothing."""
    known = [update.created_at, update.asked_at, update.heard_at, update.booted_at]
    planned = [] if _is_back_soon(update) else [update.plan.retrieve_at, update.plan.install_at]
    return max(at for at in [*known, *planned] if at is not None)
