"""A station's variables beside what is wanted of them: what differs, what was tried, what is done next."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

from chargebus_device.configurations.domain.configuration import Wanted
from chargebus_device.variables.domain.checks import objection, same
from chargebus_device.variables.domain.names import name_of
from chargebus_device.variables.domain.place import Place
from chargebus_device.variables.domain.variable import Variable

Verdict = Literal[
    "as_wanted", "unread", "differs", "asked", "waiting", "proving", "lost", "reboot_required", "refused", "impossible"
]

FIRST_PAUSE: Final = timedelta(minutes=10)
LONGEST_PAUSE: Final = timedelta(days=1)

SETTING: Final = frozenset({"ChangeConfiguration", "SetVariables"})
"""Messages after which a value is what a station was told, and not what it has told itself."""

_TAKEN: Final = frozenset({"Accepted", "RebootRequired"})


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A variable that is wanted of a station, and how far that is.

    Attributes:
        key: its place on the station, or its address where it has none there.
        has: the value that the station told, None: not told.
        told: the station's own word about the newest try; tries: how many it refused, or how many proofs it owes.
        retry_at: when it is tried again, or has to prove that it is there.
        changed_at: when it was changed last.
        lost_at: when it counts as lost without a proof; None: it owes none.
        proved_at: when it was there after a change that can break connections.
    """

    station_id: str
    key: str
    configuration_id: UUID
    revision: int
    name: str
    wanted: str
    has: str | None = None
    verdict: Verdict = "unread"
    detail: str = ""
    breaks: bool = False
    told: str = ""
    tries: int = 0
    retry_at: datetime | None = None
    changed_at: datetime | None = None
    lost_at: datetime | None = None
    proved_at: datetime | None = None


class Proof(msgspec.Struct, frozen=True):
    """How long after a change that can break connections its station is asked, and when it counts as lost."""

    after: timedelta
    within: timedelta


class Facts(msgspec.Struct, frozen=True):
    """What is known of one variable of a station.

    Attributes:
        place: where it stands in the words of its version; None: that has none for it.
        known: what the station told.
        before: how it stood before.
        read_after: what was told earlier counts no more: there was a boot, or nobody knows what became of a change.
        is_read: the station has told all that it has.
        proof: what is asked of it after a change that can break connections.
    """

    place: Place | None
    known: Variable | None
    before: Entry | None
    read_after: datetime
    is_read: bool
    proof: Proof


def compare(station_id: str, wanted: Wanted, facts: Facts, now: datetime) -> Entry:
    """Return how a variable stands; what was tried with another value counts no more."""
    setting, configuration = wanted.setting, wanted.configuration
    place, before = facts.place, facts.before
    if before is not None and before.wanted != setting.value:
        before = None
    fresh = Entry(
        station_id=station_id,
        key=setting.address.key if place is None else place.key,
        configuration_id=configuration.configuration_id,
        revision=configuration.trial,
        name=setting.address.text,
        wanted=setting.value,
        breaks=setting.breaks_connections,
    )
    if before is not None:
        kept = {name: getattr(before, name) for name in _TRIED}
        if (before.configuration_id, before.revision) != (fresh.configuration_id, fresh.revision):
            kept["proved_at"] = None  # by another trial
        fresh = msgspec.structs.replace(fresh, **kept)
    if place is None:
        return _impossible(msgspec.structs.replace(fresh, lost_at=None), "its version of OCPP has no word for it")
    if before is not None and fresh.lost_at is not None:
        released_at = configuration.released_at
        return _told(_owing(fresh, facts, before), place, facts, released_at, now)
    return _judged(fresh, place, facts, now)


_TRIED: Final = ("told", "tries", "retry_at", "changed_at", "lost_at", "proved_at")


def _judged(entry: Entry, place: Place, facts: Facts, now: datetime) -> Entry:
    known = facts.known
    if known is None or known.read_at < facts.read_after:
        return _not_told(entry, place, facts)
    entry = msgspec.structs.replace(entry, has=known.value)
    if same(known.value, entry.wanted, _data_type(place, known)):
        return msgspec.structs.replace(entry, verdict="as_wanted", tries=0, retry_at=None, told="")
    if _is_pending(entry, place, known):
        return msgspec.structs.replace(entry, verdict="reboot_required", retry_at=None)
    why = objection(place, entry.wanted, known, is_read=facts.is_read)
    if why is not None:
        return _impossible(entry, why.what)
    refused = entry.tries and entry.retry_at is not None and entry.retry_at > now
    return msgspec.structs.replace(entry, verdict="refused" if refused else "differs")


def _not_told(entry: Entry, place: Place, facts: Facts) -> Entry:
    """Return a variable of which nothing is known that counts: it is read, unless the station has none."""
    if facts.known is not None:
        return msgspec.structs.replace(entry, verdict="unread", has=facts.known.value)
    why = objection(place, entry.wanted, None, is_read=facts.is_read)
    if not facts.is_read or why is None:
        return msgspec.structs.replace(entry, verdict="unread")
    return _impossible(entry, why.what)


def _impossible(entry: Entry, why: str) -> Entry:
    return msgspec.structs.replace(entry, verdict="impossible", detail=why, retry_at=None)


def _owing(entry: Entry, facts: Facts, before: Entry) -> Entry:
    """Return a variable after a change that can break connections, as it stands if nothing new was told.

    A socket may go some time after the change or after a boot: what is told at once proves nothing.
    """
    is_lost = before.verdict == "lost"
    prove_at, lost_at = facts.read_after + facts.proof.after, entry.lost_at
    if entry.retry_at is not None:
        prove_at = max(entry.retry_at, prove_at)
    if before.verdict == "reboot_required" and lost_at is not None:
        lost_at = max(lost_at, facts.read_after + facts.proof.within)
    return msgspec.structs.replace(
        entry,
        verdict="lost" if is_lost else "proving",
        detail=before.detail if is_lost else "",
        has=facts.known.value if facts.known is not None else None,
        retry_at=prove_at,
        lost_at=lost_at,
    )


def _told(entry: Entry, place: Place, facts: Facts, released_at: datetime | None, now: datetime) -> Entry:
    """Return a variable that owes a proof, by what its station told.

    Another value proves nothing: the station may have gone back to the one from before because it could not connect.
    """
    known = facts.known
    if known is None or known.read_at < facts.read_after:
        return entry
    is_lost = entry.verdict == "lost"
    if not is_lost and _is_pending(entry, place, known):
        return msgspec.structs.replace(entry, verdict="reboot_required", retry_at=None)
    is_there = same(known.value, entry.wanted, _data_type(place, known))
    if not is_there and is_lost and _is_released(entry, released_at, known):
        return msgspec.structs.replace(entry, verdict="differs", detail="", tries=0, retry_at=None, lost_at=None)
    if known.read_by in SETTING or (entry.retry_at is not None and known.read_at < entry.retry_at):
        return entry
    if not is_there:
        return missed(entry, "it took the value, and told another one after that", facts.proof, now)
    proved = msgspec.structs.replace(entry, verdict="as_wanted", detail="", told="", tries=0, proved_at=now)
    return msgspec.structs.replace(proved, retry_at=None, lost_at=None)


def missed(entry: Entry, why: str, proof: Proof, now: datetime) -> Entry:
    """Return a variable whose station was asked for the proof and did not give it; it is asked again."""
    tries = entry.tries + 1
    if entry.verdict != "lost" and entry.lost_at is not None and entry.lost_at > now:
        return msgspec.structs.replace(entry, tries=tries, retry_at=now + proof.after)
    return msgspec.structs.replace(entry, verdict="lost", detail=why, tries=tries, retry_at=now + pause(tries))


def owes_proof(entry: Entry, asked_at: datetime) -> bool:
    """Tell whether what was asked then had to prove that the station came back from a change."""
    return entry.lost_at is not None and entry.retry_at is not None and entry.retry_at <= asked_at


def _is_pending(entry: Entry, place: Place, known: Variable) -> bool:
    return known.pending_since is not None and same(known.pending_value, entry.wanted, _data_type(place, known))


def _is_released(entry: Entry, released_at: datetime | None, known: Variable) -> bool:
    """Tell whether an operator had the configuration go on after the station was changed."""
    changed_at = entry.changed_at
    return released_at is not None and changed_at is not None and changed_at < min(released_at, known.read_at)


def _data_type(place: Place, known: Variable) -> str | None:
    name = name_of(place)
    return known.data_type or (name.data_type if name else None)


# What is done next


class Trial(msgspec.Struct, frozen=True):
    """How a change that can break connections goes, of one configuration: with how many stations.

    Those that have begun owe a proof, whatever else is known of them.
    """

    begun: int = 0
    proved: int = 0
    lost: int = 0


def may_break(trial: Trial, first: int, *, held: bool) -> bool:
    """Tell whether one more station may get such a change: the first few, and all others once those have come back."""
    return room(trial, first, held=held) != 0


def room(trial: Trial, first: int, *, held: bool) -> int | None:
    """Return how many more stations may get such a change now; None: all of them."""
    if held or trial.lost:
        return 0
    return None if trial.proved >= first else max(first - trial.begun - trial.proved, 0)


def to_read(entries: Collection[Entry], now: datetime) -> list[Entry]:
    """Return what has to be read: what is not known, and what has to prove that it is there."""
    return [
        each
        for each in entries
        if each.verdict == "unread"
        or (each.verdict in ("proving", "lost") and each.retry_at is not None and each.retry_at <= now)
    ]


def to_change(entries: Collection[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return what has to be changed: what breaks no connection, and what can."""
    differ = [each for each in entries if each.verdict == "differs"]
    return [each for each in differ if not each.breaks], [each for each in differ if each.breaks]


def answered(entry: Entry, status: str, detail: str, proof: Proof, now: datetime) -> Entry:
    """Return a variable after its station was asked to change it; `status` is its word, or how the asking ended."""
    told = ": ".join(filter(None, (status, detail)))
    tried = msgspec.structs.replace(entry, told=told, changed_at=now, retry_at=None)
    if status in _TAKEN or (status == "Unknown" and entry.breaks):
        verdict: Verdict = "reboot_required" if status == "RebootRequired" else "as_wanted"
        if not entry.breaks:
            return msgspec.structs.replace(tried, verdict=verdict, tries=0)
        verdict = "reboot_required" if status == "RebootRequired" else "proving"
        prove_at, lost_at = now + proof.after, now + proof.within
        return msgspec.structs.replace(
            tried, verdict=verdict, tries=0, retry_at=prove_at, lost_at=lost_at, proved_at=None
        )
    if status == "Unreachable":
        return msgspec.structs.replace(entry, told=told, verdict="unread")
    if status == "Unknown":  # it is read, and left alone for a while if it was not changed
        tries = entry.tries + 1
        return msgspec.structs.replace(tried, verdict="unread", tries=tries, retry_at=now + pause(tries))
    return msgspec.structs.replace(
        tried, verdict="refused", tries=entry.tries + 1, retry_at=now + pause(entry.tries + 1)
    )


def due_at(entries: Sequence[Entry]) -> datetime | None:
    """Return when a station is looked at next; None: when something happens."""
    return min((each.retry_at for each in entries if each.retry_at is not None), default=None)


def pause(tries: int) -> timedelta:
    """Return how long after so many tries the next one is."""
    return min(FIRST_PAUSE * (1 << min(tries - 1, 20)), LONGEST_PAUSE)
