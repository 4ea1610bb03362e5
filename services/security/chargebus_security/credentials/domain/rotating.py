"""What is done next about a station's new password. Pure.

The old one counts until the station has come back with the new one, and the new one is taken back only where the
station surely has not taken it. So whatever is lost on the way, it can come in by the one that it has.
"""

from datetime import datetime, timedelta
from typing import Final, TypeAlias

from chargebus_security.credentials.domain.campaign import Member, MemberState, put_off
from chargebus_security.credentials.domain.case import Case, Decision, again_at, wait
from chargebus_security.credentials.domain.facts import Give, TakeBack, Tell, Told
from chargebus_security.credentials.domain.rotation import Rotation

MOST_UNUSED: Final = 3
"""How many passwords may stand beside the one that a station has used."""

WITH_PASSWORD: Final = (1, 2)
"""The security profiles by which a station comes in with its password. Spec: OCPP 2.0.1 A00.FR.201, A00.FR.301."""

MOST_RESETS: Final = 2
REGISTERED_WITHIN: Final = timedelta(minutes=5)
SETTLES: Final = timedelta(seconds=15)
"""How long after a station has come the news may take by which password it did."""

_LOOK_AGAIN: Final = timedelta(seconds=30)
_AFTER_RESET: Final = timedelta(minutes=10)

Rotating: TypeAlias = Case[Rotation]


def begin(case: Rotating) -> Decision:
    """Have the edges know a new password, before its station is told."""
    if case.facts.least_profile is None:
        return _over(case, "left_out", "it is not registered")
    used = case.facts.used_profile
    if used is not None and used not in WITH_PASSWORD:
        return _over(case, "left_out", f"it uses profile {used}, which has no password")
    if len(case.facts.passwords) > MOST_UNUSED:
        why = f"it has used none of the {MOST_UNUSED} passwords that it was given since the one it has"
        return _over(case, "failed", why)
    return case.moved("registering", due_at=case.now + _LOOK_AGAIN), Give(case.work.stored)


def look(case: Rotating) -> Decision:
    """Return what is done about a station of which something was heard, or whose time has come."""
    if case.facts.passwords[:1] == (case.work.fingerprint,):
        return _over(case, "done")
    if case.member.state == "registering":
        return _registering(case)
    if case.member.state == "told":
        return _told(case)
    return case.put_off(None)  # its answer is waited for


def _registering(case: Rotating) -> Decision:
    work, facts, due_at = case.work, case.facts, case.member.due_at
    if facts.least_profile is None:
        return _over(case, "failed", "it is not registered any more")
    is_known = work.fingerprint in facts.passwords
    if not is_known and case.now >= work.began_at + REGISTERED_WITHIN:
        return _taken_back(
            case, "failed", "the registry did not take the new password: one that an operator gave may wait to be used"
        )
    if is_known and case.is_late:
        return _taken_back(case, "failed", case.member.reason or "it was not there in time")
    if is_known and facts.online and not (work.tries and due_at is not None and case.now < due_at):
        return case.moved("telling"), Tell("password")
    return case.put_off(_next_look(case, is_known=is_known))


def _next_look(case: Rotating, *, is_known: bool) -> datetime:
    if not is_known:
        return case.now + _LOOK_AGAIN
    return case.member.due_at or case.campaign.until if case.facts.online else case.campaign.until


def _told(case: Rotating) -> Decision:
    if case.work.fingerprint not in case.facts.passwords:
        return _over(case, "failed", "another password was used, or the new one was taken back")
    reset_at = _reset_at(case)
    if reset_at is not None and case.now < reset_at:
        return case.put_off(min(reset_at, max(case.now, case.campaign.until)))
    if reset_at is not None and case.facts.online:
        counted = case.having(resets=case.work.resets + 1, reset_at=case.now)
        return counted.moved("resetting", case.member.reason), Tell("reset")
    if case.is_late:
        return _over(case, "unconfirmed", "it has not come back with the new password: the old one counts, too")
    return case.having(waits=case.facts.online).put_off(case.campaign.until)


def _reset_at(case: Rotating) -> datetime | None:
    """Return when a station is reset that does not come back with its new password; None: it is not."""
    work, within = case.work, timedelta(seconds=case.campaign.rules.return_within_s)
    if case.campaign.rules.reset == "never" or work.resets >= MOST_RESETS or work.told_at is None:
        return None
    if work.reset_at is not None:
        return work.reset_at + max(_AFTER_RESET, within)
    return work.told_at if work.reboots else work.told_at + within


def answered(case: Rotating, told: Told) -> Decision:
    """Return what becomes of a station that was told its new password, or to reset itself."""
    place = (case.member.state, told.order)
    if place == ("telling", "password"):
        return _password_told(case, told)
    return _reset_told(case, told) if place == ("resetting", "reset") else (case.member, None)


def _password_told(case: Rotating, told: Told) -> Decision:
    if told.answer == "refused":
        return _taken_back(case, "refused", told.why)
    if told.answer == "unreached":
        tries = case.work.tries + 1
        return case.having(tries=tries).moved("registering", told.why, case.now + wait(tries)), None
    reasons = {"unknown": f"its answer is not known: {told.why}", "reboot": "it has to be restarted"}
    has = case.having(told_at=case.now, reboots=told.answer == "reboot", sealed="")
    return has.moved("told", reasons.get(told.answer, ""), case.now), None


def _reset_told(case: Rotating, told: Told) -> Decision:
    if told.answer == "refused":
        return case.having(resets=MOST_RESETS).moved("told", f"it cannot be reset: {told.why}", case.now), None
    if told.answer == "unreached":
        again = case.having(resets=case.work.resets - 1, reset_at=None, told_at=case.now)
        return again.moved("told", told.why, case.now + SETTLES), None
    return case.moved("told", "it was reset", case.now + _AFTER_RESET), None


def back(member: Member, now: datetime) -> Member:
    """Return a station that came back: what could not be told is told now."""
    if not isinstance(member.work, Rotation):
        return member
    if member.state == "registering":
        return put_off(member, again_at(member, member.work.tries, now))
    if member.state == "told" and (member.due_at is None or member.due_at > now + SETTLES):
        return put_off(member, now + SETTLES)
    return member


def _taken_back(case: Rotating, state: MemberState, why: str) -> Decision:
    after, _ = _over(case, state, why)
    return after, TakeBack(case.work.stored)


def _over(case: Rotating, state: MemberState, why: str = "") -> Decision:
    return case.having(sealed="").moved(state, why), None
