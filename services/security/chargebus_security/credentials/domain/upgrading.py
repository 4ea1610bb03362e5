"""What is done next about a station's security profile. Pure.

certificate ──> root ──> (lowering) ──> telling (1.6) ───────────────────────────────────────┐
                                   └──> reading ──> choosing ──> network ──> priority ──> resetting ──> told ──> raising
                                                                                                  └──> rolling_back

The least profile that a station may use is raised when it has come back with the new one, and not before: until then
it may come in as ever. Where it does not come back so, what was changed on it is changed back.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from chargebus_security.credentials.domain.campaign import Member, MemberState, put_off
from chargebus_security.credentials.domain.case import Case, Decision, again_at, wait
from chargebus_security.credentials.domain.facts import AskCertificate, AskRoots, Order, SetLeast, Tell, Told
from chargebus_security.credentials.domain.upgrade import Upgrade

PROFILE_WITH_ROOT: Final = 2
PROFILE_WITH_CERTIFICATE: Final = 3
OCPP_16: Final = "1.6"
SCHEDULED: Final = "Scheduled"
MOST_TRIES: Final = 3
MOST_SLOTS: Final = 10

CERTIFICATE_WITHIN: Final = timedelta(hours=1)
CERTIFICATE_AGAIN: Final = timedelta(minutes=5)
"""After how long a station that has sent no CSR is asked once more: it may have been away."""

ROOT_WITHIN: Final = timedelta(minutes=10)
REGISTERED_WITHIN: Final = timedelta(minutes=30)
_LOOK_AGAIN: Final = timedelta(seconds=5)

Upgrading: TypeAlias = Case[Upgrade]
_ORDERS: Final[dict[MemberState, Order]] = {
    "telling": "profile",
    "reading": "read",
    "choosing": "slots",
    "network": "network",
    "priority": "priority",
    "resetting": "reset",
}


def begin(case: Upgrading) -> Decision:
    """Begin with what is missing before a station can be told."""
    least, used, wanted = case.facts.least_profile, case.facts.used_profile, case.campaign.profile
    if least is None:
        return case.moved("left_out", "it is not registered"), None
    lower = wanted < least or (used is not None and wanted < used)
    if lower and not case.campaign.allow_downgrade:
        why = f"it may use profile {least} or a higher one, and uses {used}: lower it only with allow_downgrade"
        return case.moved("refused", why), None
    if used == wanted:
        return _lowering(case)
    if used is None:
        return case.moved("left_out", "it is not known which profile it uses"), None
    if case.campaign.network is None and case.facts.ocpp_version != OCPP_16:
        return case.moved("failed", "a station of OCPP 2.x needs a network (csms_url)"), None
    return _certificate(case)


def look(case: Upgrading) -> Decision:
    """Return what is done about a station of which something was heard, or whose time has come."""
    if case.facts.least_profile is None:
        return case.moved("failed", "it is not registered any more"), None
    return _LOOKS.get(case.member.state, _tell_again)(case)


def answered(case: Upgrading, told: Told) -> Decision:
    """Return what becomes of a station that was told something."""
    if case.member.due_at is not None:  # nothing is waited for
        return case.member, None
    if case.member.state == "rolling_back":
        return _taken_back(case, told)
    if _ORDERS.get(case.member.state) != told.order:
        return case.member, None
    tried = case.having(tries=case.work.tries + 1)
    may_be_told_again = told.answer == "unknown" and told.order in ("read", "network", "priority")
    if told.answer == "unreached" or (may_be_told_again and tried.work.tries < MOST_TRIES):
        return tried.moved(case.member.state, told.why, case.now + wait(tried.work.tries)), None
    if (told.answer == "refused" and told.order != "slots") or may_be_told_again:
        return _refused(case, told)
    return _TAKEN[told.order](case, told)


def back(member: Member, now: datetime) -> Member:
    """Return a station that came back: it is looked at."""
    waits = member.due_at is None and (member.state in _ORDERS or member.state == "rolling_back")  # for its answer
    if waits or not isinstance(member.work, Upgrade):
        return member
    is_told = member.state in _ORDERS or member.state == "rolling_back"
    return put_off(member, again_at(member, member.work.tries if is_told else 0, now))


# Before it is told


def _certificate(case: Upgrading) -> Decision:
    facts = case.facts
    if case.campaign.profile < PROFILE_WITH_CERTIFICATE or facts.has_certificate:
        return _root(case)
    if case.member.state != "certificate":
        return _ask_certificate(case.having(since=case.now))
    is_new = facts.certificate_at is not None and facts.certificate_at >= case.work.since
    if is_new and facts.certificate_state in ("declined", "refused", "failed"):
        return case.moved("failed", f"no certificate: {facts.certificate_state}: {facts.certificate_reason}"), None
    if case.is_late or case.now >= case.work.since + CERTIFICATE_WITHIN:
        return case.moved("failed", "it has no certificate, and has not come by one in time"), None
    asked_at = case.work.asked_at or case.work.since
    if not is_new and facts.online and case.now >= asked_at + CERTIFICATE_AGAIN:
        return _ask_certificate(case)
    return case.put_off(case.now + _LOOK_AGAIN)


def _ask_certificate(case: Upgrading) -> Decision:
    asked = case.having(asked_at=case.now)
    return asked.moved("certificate", due_at=case.now + _LOOK_AGAIN), AskCertificate()


def _root(case: Upgrading) -> Decision:
    facts, since = case.facts, case.work.since
    if case.campaign.profile < PROFILE_WITH_ROOT or not case.campaign.check_root or facts.roots:
        return _lowering(case)
    if case.member.state != "root":
        return case.having(since=case.now).moved("root", due_at=case.now + _LOOK_AGAIN), AskRoots()
    if facts.roots_told_at is not None and facts.roots_told_at >= since:
        return case.moved("failed", "it has no root for the CSMS that is valid: have one installed first"), None
    if case.now >= since + ROOT_WITHIN:
        why = f"it does not tell which roots it has ({facts.roots_detail or 'no answer'}): see check_root"
        return case.moved("failed", why), None
    return case.put_off(case.now + _LOOK_AGAIN)


def _lowering(case: Upgrading) -> Decision:
    wanted, least = case.campaign.profile, case.facts.least_profile
    if least is not None and least <= wanted and case.facts.used_profile == wanted:
        return _came(case)
    if least is None or least <= wanted:
        state: MemberState = "telling" if case.facts.ocpp_version == OCPP_16 else "reading"
        return _tell(case.having(tries=0), state)
    if case.member.state != "lowering":
        asked = case.having(since=case.now)
        return asked.moved("lowering", due_at=case.now + _LOOK_AGAIN), SetLeast(wanted, lowers=True)
    if case.now >= case.work.since + REGISTERED_WITHIN:
        return case.moved("failed", "the registry did not take the lower profile"), None
    return case.put_off(case.now + _LOOK_AGAIN)


# Telling it


def _tell(case: Upgrading, state: MemberState) -> Decision:
    """Tell a station the next thing, or wait until it is there."""
    if not case.facts.online:
        return case.moved(state, case.member.reason, case.campaign.until), None
    return case.having(epoch=case.facts.epoch, asked_at=case.now).moved(state), Tell(
        _ORDERS[state], _value(case, state)
    )


def _value(case: Upgrading, state: MemberState) -> str:
    if state == "telling":
        return str(case.campaign.profile)
    first = str(case.work.slot)
    if state == "priority":
        return ",".join((first, *(each for each in case.work.slots_before.split(",") if each not in ("", first))))
    if state == "choosing":
        return ",".join(_slots(case))
    return first if state == "network" else ""


def _tell_again(case: Upgrading) -> Decision:
    due_at = case.member.due_at
    if due_at is None or (case.now < due_at and not case.is_late):
        return case.member, None
    facts = case.facts
    if case.member.state == "resetting" and facts.online and facts.used_profile == case.campaign.profile:
        return _came(case)  # it has restarted by itself
    if not case.is_late:
        return _tell(case, case.member.state)
    why = f"it was not there in time: {case.member.reason}"
    return (case.moved("unconfirmed", why), None) if case.work.changed else _ended(case, "failed", why)


def _profile_taken(case: Upgrading, told: Told) -> Decision:
    changed = case.having(changed=True, tries=0)
    if told.answer == "reboot" and case.campaign.rules.reset == "any":
        return _tell(changed.having(resets=1), "resetting")
    if told.answer == "reboot":
        return changed.moved("told", "it has to be restarted", case.campaign.until), None
    return _wait_for_it(changed, f"its answer is not known: {told.why}" if told.answer == "unknown" else "")


def _read(case: Upgrading, told: Told) -> Decision:
    taken = [part.strip() for part in told.value.split(",") if part.strip()]
    read = case.having(slots_before=",".join(taken), tries=0)
    if not taken or not _slots(read):
        return _ended(case, "failed", f"it has no free slot: the order of its networks is {told.value!r}")
    return _tell(read, "choosing")


def _slots(case: Upgrading) -> list[str]:
    """Return the slots that are not in the order of a station's networks: all, or the one that is named."""
    taken = case.work.slots_before.split(",")
    wanted = None if case.campaign.network is None else case.campaign.network.slot
    slots = range(1, MOST_SLOTS) if wanted is None else (wanted,)
    return [str(slot) for slot in slots if str(slot) not in taken]


def _chosen(case: Upgrading, told: Told) -> Decision:
    """Take a slot that holds no network, as far as the station tells; one that leads where it shall is as good."""
    held = dict(line.split(" ", 1) for line in told.value.splitlines())
    ours = "" if case.campaign.network is None else case.campaign.network.url
    slot = next((each for each in _slots(case) if held.get(each, ours) == ours), None)
    if slot is None:
        others = ", ".join(f"{each}: {held[each]}" for each in _slots(case))
        return _ended(case, "failed", f"it has no free slot: others than those of its order hold networks ({others})")
    return _tell(case.having(slot=int(slot), tries=0), "network")


def _network_set(case: Upgrading, _told: Told) -> Decision:
    # From here on the order of its networks may be another one, whether its answer comes or not.
    return _tell(case.having(tries=0, changed=True), "priority")


def _priority_set(case: Upgrading, _told: Told) -> Decision:
    ready = case.having(tries=0, resets=1, told_at=None)
    if case.campaign.rules.reset == "never":
        return ready.moved("told", "it takes the new profile when it restarts", case.campaign.until), None
    return _tell(ready, "resetting")


def _reset_taken(case: Upgrading, told: Told) -> Decision:
    if told.value == SCHEDULED:
        reason = "it is reset when nobody charges any more"
        return case.having(told_at=None).moved("told", reason, case.campaign.until), None
    return _wait_for_it(case, "")


def _wait_for_it(case: Upgrading, reason: str) -> Decision:
    """Wait until it comes back; it may have done so before its answer was heard of."""
    is_back = case.facts.epoch > case.work.epoch
    due_at = case.now if is_back else case.now + _return_within(case)
    return case.having(told_at=case.now).moved("told", reason, due_at), None


def _return_within(case: Upgrading) -> timedelta:
    return timedelta(seconds=case.campaign.rules.return_within_s)


def _refused(case: Upgrading, told: Told) -> Decision:
    why = f"{told.order}: {told.why}"
    is_lost = told.answer == "unknown" or case.work.tries > 0  # an answer, of this try or of one before
    may_have_changed = case.member.state == "resetting" or (told.order == "priority" and is_lost)
    return _roll_back(case, why) if may_have_changed else _ended(case, "refused", why)


# After it was told


def _told(case: Upgrading) -> Decision:
    facts = case.facts
    if facts.online and facts.used_profile == case.campaign.profile:
        return _came(case)
    if _has_booted(case) and facts.used_profile is not None:
        return _roll_back(case, f"it came back with profile {facts.used_profile}")
    if case.is_late:
        why = "it has not come back: it may come in by the profile that it had, and by the new one"
        return case.moved("unconfirmed", why), None
    until = _back_until(case)
    if case.now < until:
        return case.put_off(until)
    if not case.work.resets and case.campaign.rules.reset == "any":
        return _tell(case.having(resets=1), "resetting")
    came_with = f"it came back with profile {facts.used_profile}"
    return _roll_back(case, came_with if _is_back(case) else "it did not come back with the new profile")


def _is_back(case: Upgrading) -> bool:
    """Tell whether it has connected anew; a connection from before it was told may be heard of only now."""
    facts, asked_at = case.facts, case.work.asked_at
    is_new = facts.connected_at is None or asked_at is None or facts.connected_at >= asked_at
    return facts.online and facts.epoch > case.work.epoch and is_new


def _has_booted(case: Upgrading) -> bool:
    """Tell whether it has restarted since it was told; a connection that was lost and made anew is no restart.

    Of a station that says so at every connection it cannot be told.
    """
    booted_at, asked_at = case.facts.booted_at, case.work.asked_at
    is_new = booted_at is not None and asked_at is not None and booted_at >= asked_at
    return _is_back(case) and is_new and not case.facts.boots_always


def _back_until(case: Upgrading) -> datetime:
    """Return how long a station may take to come back; one that is away, or waits with its restart, as long as any."""
    if not case.facts.online or case.work.told_at is None:
        return case.campaign.until
    since = case.work.told_at
    if _is_back(case):  # it may only now restart
        since = max(since, case.facts.connected_at or since)
    return min(case.campaign.until, since + _return_within(case))


def _came(case: Upgrading) -> Decision:
    """Make the profile that a station uses the least that it may use; where an operator has set more, that stands."""
    if _is_least(case):
        return case.moved("done"), None
    least = SetLeast(case.campaign.profile)
    return case.having(since=case.now).moved("raising", due_at=case.now + _LOOK_AGAIN), least


def _is_least(case: Upgrading) -> bool:
    return case.facts.least_profile is not None and case.facts.least_profile >= case.campaign.profile


def _raising(case: Upgrading) -> Decision:
    if _is_least(case):
        return case.moved("done"), None
    if case.now >= case.work.since + REGISTERED_WITHIN:
        return case.moved("failed", "it uses the new profile, but the registry did not take it"), None
    return case.put_off(case.now + _LOOK_AGAIN)


def _roll_back(case: Upgrading, why: str) -> Decision:
    """Tell a station that what it had before counts again."""
    asked, before = case.having(why=why, tries=0, since=case.now), case.work.before
    if not case.work.slots_before and before is None:
        return case.moved("unconfirmed", f"{why}; what it had before is not known"), None
    if not case.facts.online:
        return asked.moved("rolling_back", why, case.campaign.until), None
    tell = Tell("priority", case.work.slots_before) if case.work.slots_before else Tell("profile", str(before))
    return asked.moved("rolling_back", why), tell


def _rolling_back(case: Upgrading) -> Decision:
    due_at, why = case.member.due_at, case.work.why
    if due_at is None or (case.now < due_at and not case.is_late):
        return case.member, None
    if case.is_late:
        return case.moved("unconfirmed", f"{why}; it was not there to be told that what it had counts again"), None
    after, action = _roll_back(case, why)
    return msgspec.structs.replace(after, work=case.work), action


def _taken_back(case: Upgrading, told: Told) -> Decision:
    tried = case.having(tries=case.work.tries + 1)
    if told.answer == "unreached" or (told.answer == "unknown" and tried.work.tries < MOST_TRIES):
        return tried.moved("rolling_back", case.work.why, case.now + wait(tried.work.tries)), None
    if told.answer in ("accepted", "reboot"):
        return _ended(case, "rolled_back", case.work.why)
    return case.moved("unconfirmed", f"{case.work.why}; taken back: {told.answer}: {told.why}"), None


def _ended(case: Upgrading, state: MemberState, why: str) -> Decision:
    """End it with a station that has what it had before; where the least profile was lowered for it, it is as before.

    One that may come in by the lower profile must not end here: raised, the least would lock it out.
    """
    facts, before = case.facts, case.work.least_before
    lowered = facts.least_profile is not None and facts.least_profile < before
    restore = lowered and facts.used_profile is not None and facts.used_profile >= before
    return case.moved(state, why), SetLeast(before) if restore else None


_Look: TypeAlias = Callable[[Upgrading], Decision]
_Taken: TypeAlias = Callable[[Upgrading, Told], Decision]
_LOOKS: Final[dict[MemberState, _Look]] = {
    "certificate": _certificate,
    "root": _root,
    "lowering": _lowering,
    "told": _told,
    "raising": _raising,
    "rolling_back": _rolling_back,
}
_TAKEN: Final[dict[Order, _Taken]] = {
    "profile": _profile_taken,
    "read": _read,
    "slots": _chosen,
    "network": _network_set,
    "priority": _priority_set,
    "reset": _reset_taken,
}
