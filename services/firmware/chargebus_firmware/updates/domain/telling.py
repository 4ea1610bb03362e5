"""What is told of an update: answers, statuses, boots.

What a station says on the way is a hint: statuses are skipped, repeated, late, out of order, and come from before the
request. The truth is the version with which it boots. `Installed` without the new version is a failure, and the new
version without `Installed` is a success. Where the version is the one from before, only a boot after the installation
says that it is done.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from chargebus_firmware.links.domain.link import Transport
from chargebus_firmware.updates.domain.update import RANK, Phase, Reason, Update, failed, later, noted, succeeded

SKEW: Final = timedelta(seconds=2)
"""By how much the clocks of our own machines may differ."""

AGAIN_AFTER: Final = timedelta(seconds=30)
"""How long after it could not be reached a station is asked again, if it is there."""

IDLE: Final = "Idle"
_PROGRESS: Final[dict[str, Phase]] = {
    "DownloadScheduled": "download_scheduled",
    "Downloading": "downloading",
    "DownloadPaused": "downloading",
    "Downloaded": "downloaded",
    "SignatureVerified": "verified",
    "InstallScheduled": "install_scheduled",
    "Installing": "installing",
    "InstallRebooting": "rebooting",
    "Installed": "installed",
}
_FAILURES: Final[dict[str, tuple[Reason, Phase]]] = {
    "DownloadFailed": ("download_failed", "downloading"),
    "InvalidSignature": ("invalid_signature", "downloaded"),
    "InstallVerificationFailed": ("verification_failed", "installed"),
    "InstallationFailed": ("installation_failed", "installed"),
}
"""What each failure is called, and the last phase that it can be of: of what is done since, it tells nothing."""
_ANSWERS: Final[dict[str, Reason]] = {
    "rejected": "rejected",
    "invalidcertificate": "invalid_certificate",
    "revokedcertificate": "revoked_certificate",
}
_CANCELLED_ANOTHER: Final = "acceptedcanceled"
_UNSUPPORTED: Final = frozenset({"NotSupported", "NotImplemented"})


def asked(update: Update, before: str, at: datetime) -> Update:
    """Return it after its station, which has the version `before`, was asked."""
    new = msgspec.structs.replace(
        update, phase="requested", asked_at=at, asks=update.asks + 1, before=before, again_at=None
    )
    return noted(new, at, "asked", update)


def protocols_asked(update: Update, at: datetime, within: timedelta) -> Update:
    """Return it after the station was asked over what it transfers files, for which it is waited so long."""
    new = msgspec.structs.replace(update, protocols_asked_at=at, again_at=at + within)
    return noted(new, at, "asked for its file transfer protocols", update)


def over(update: Update, transport: Transport) -> Update:
    """Return it with what the file goes over."""
    return msgspec.structs.replace(update, plan=msgspec.structs.replace(update.plan, over=transport))


def probed(update: Update, at: datetime, what: str) -> Update:
    """Return it after the station was asked to say how it is."""
    return noted(msgspec.structs.replace(update, probed_at=at), at, f"asked for {what}", update)


def answered(update: Update, status: str, at: datetime, detail: str = "") -> Update:
    """Return it after the station's answer; an empty status is that of OCPP 1.6's UpdateFirmware, which has none.

    Spec: UpdateFirmwareStatusEnumType: Accepted, Rejected, AcceptedCanceled, InvalidCertificate, RevokedCertificate
    """
    reason = _ANSWERS.get(status.lower())
    said = f"answered {status}".strip()
    if not update.is_open or (reason is not None and update.phase != "requested"):
        return noted(update, at, said, update, detail)
    if reason is not None:
        return noted(failed(update, reason, at, detail), at, said, update, detail)
    if status.lower() == _CANCELLED_ANOTHER:
        detail = "It gave up another update that was under way."
    new = msgspec.structs.replace(
        update, answered=True, phase=_later(update.phase, "accepted"), heard_at=later(update.heard_at, at)
    )
    return noted(new, at, said, update, detail)


def refused(update: Update, code: str, at: datetime, detail: str) -> Update:
    """Return it after the station refused the request by a CALLERROR."""
    if not update.is_open or update.phase != "requested":
        return noted(update, at, "refused", update, detail)
    reason: Reason = "not_supported" if code in _UNSUPPORTED else "refused"
    return noted(failed(update, reason, at, detail), at, "refused", update, detail)


def is_to_do_without_signature(update: Update, action: str, code: str) -> bool:
    """Tell whether a station refused as it does not know signed firmware, which older ones of OCPP 1.6 do not."""
    return update.is_open and update.phase == "requested" and action == "SignedUpdateFirmware" and code in _UNSUPPORTED


def to_be_asked_unsigned(update: Update, at: datetime) -> Update:
    """Return it to be asked again, without signature."""
    new = msgspec.structs.replace(update, phase="waiting", asked_at=None, unsigned=True, again_at=at)
    return noted(new, at, "knows no signed firmware", update)


def not_reached(update: Update, at: datetime, detail: str) -> Update:
    """Return it after the request never came to the station: it is waited for again.

    One of a campaign is not: the campaign begins another when the station may be updated again.
    """
    if not update.is_open or update.phase != "requested":
        return noted(update, at, "not reached", update, detail)
    if update.campaign_id:
        return noted(failed(update, "not_reached", at, detail), at, "not reached", update, detail)
    new = msgspec.structs.replace(update, phase="waiting", asked_at=None, again_at=at + AGAIN_AFTER)
    return noted(new, at, "not reached", update, detail)


def left(update: Update, at: datetime, detail: str) -> Update:
    """Return one of a campaign whose station cannot be asked for it any more."""
    return noted(failed(update, "not_reached", at, detail), at, "not asked", update, detail)


def unanswered(update: Update, at: datetime, detail: str) -> Update:
    """Return it after there was no answer: the station may be at work, so it is waited for as if it had said yes."""
    return noted(update, at, "no answer", update, detail)


def is_of(update: Update, request_id: int | None, at: datetime) -> bool:
    """Tell whether a status is of an update: by its number, or, without one, because it is not older than it."""
    if request_id is not None:
        return request_id == update.request_id
    return update.asked_at is not None and at >= update.asked_at - SKEW


def told(update: Update, status: str, at: datetime) -> Update:
    """Return it after a status notification that is of it.

    What is behind what the station has done already is noted and changes nothing. One that had failed goes on where the
    station gets further than it was.
    """
    if update.asked_at is None:
        return update
    heard = msgspec.structs.replace(update, heard_at=later(update.heard_at, at), status=status, idle=status == IDLE)
    return noted(_after_status(heard, status, at), at, status, update)


def booted(update: Update, version: str, at: datetime, *, by_itself: bool) -> Update:
    """Return it after the station told its version; empty: it said none.

    `by_itself`: not because it was asked to tell it.
    """
    if update.asked_at is None or at < update.asked_at - SKEW:
        return update
    known = update
    if update.booted_at is None or at >= update.booted_at:
        known = msgspec.structs.replace(update, booted_at=at, booted_version=version)
    if by_itself and _is_wanted(update, version):
        known = msgspec.structs.replace(known, rebooted_at=later(known.rebooted_at, at))
    return noted(_after_boot(known, version, at, by_itself=by_itself), at, f"booted {version}".strip(), update)


def replaced(update: Update, at: datetime) -> Update:
    """Return it after another station took the place of this one."""
    if not update.is_open or update.asked_at is None or at < update.asked_at:
        return update
    detail = "Another station booted under this identity."
    return noted(failed(update, "replaced", at, detail), at, "replaced", update, detail)


def cancelled(update: Update, at: datetime) -> Update:
    """Return it after an operator or a campaign gave it up before the station was asked."""
    new = msgspec.structs.replace(update, verdict="cancelled", reason="by_operator", ended_at=at)
    return noted(new, at, "cancelled", update)


def _after_status(update: Update, status: str, at: datetime) -> Update:
    if update.verdict in ("succeeded", "cancelled"):
        return update
    if status in _FAILURES:
        reason, last = _FAILURES[status]
        is_news = update.is_open and RANK[update.phase] <= RANK[last]
        return failed(update, reason, at) if is_news else update
    phase = _PROGRESS.get(status)
    if phase is None:
        return update
    if not update.is_open and RANK[phase] <= RANK[update.phase]:
        return update
    moved = msgspec.structs.replace(_reopened(update), answered=True, phase=_later(update.phase, phase))
    if RANK[phase] >= RANK["installing"]:
        moved = msgspec.structs.replace(moved, work_at=_earlier(moved.work_at, at))
    if phase == "installed":
        moved = msgspec.structs.replace(moved, installed_at=_earlier(moved.installed_at, at))
    return succeeded(moved, at) if _is_done(moved) else moved


def _after_boot(update: Update, version: str, at: datetime, *, by_itself: bool) -> Update:
    if update.verdict in ("succeeded", "cancelled"):
        return update
    if _is_wanted(update, version):
        return succeeded(update, at) if _is_done(update) or not update.is_same_version else update
    is_after = update.installed_at is not None and at > update.installed_at
    if update.is_open and version and by_itself and is_after:
        return failed(update, "wrong_version", at, f"It came back with {version}.")
    return update


def _is_done(update: Update) -> bool:
    """Tell whether a station that had the version before has booted since it was installed anew."""
    if not update.is_same_version or update.installed_at is None or update.work_at is None:
        return False
    return update.rebooted_at is not None and update.rebooted_at >= update.work_at


def _is_wanted(update: Update, version: str) -> bool:
    return version.strip() == update.version.strip()


def _reopened(update: Update) -> Update:
    return msgspec.structs.replace(update, verdict="", reason="", detail="", ended_at=None)


def _later(known: Phase, new: Phase) -> Phase:
    return new if RANK[new] > RANK[known] else known


def _earlier(known: datetime | None, new: datetime) -> datetime:
    return new if known is None else min(known, new)
