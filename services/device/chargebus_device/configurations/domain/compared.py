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
        told: the station's own word about the newest try; tries: how many it refused.
        retry_at: when it is tried again, or has to prove that it is there.
        changed_at: when it was changed last; lost_at: when it counts as lost without a proof.
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


class Facts(msgspec.Struct, frozen=True):
    """What is known of one variable of a station.

    Attributes:
        place: where it stands in the words of its version; None: that has none for it.
        known: what the station told.
        before: how it stood before.
        read_after: what was told earlier counts no more: there was a boot, or nobody knows what became of a change.
        is_read: the station has told all that it has.
    """

    place: Place | None
    known: Variable | None
    before: Entry | None
    read_after: datetime
    is_read: bool


class Proof(msgspec.Struct, frozen=True):
    """How long after a change that can break connections its station is asked, and when it counts as lost."""

    after: timedelta
    within: timedelta


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
        revision=configuration.revision,
        name=setting.address.text,
        wanted=setting.value,
        breaks=setting.breaks_connections,
    )
    if before is not None:
        kept = {name: getattr(before, name) for name in _TRIED}
        fresh = msgspec.structs.replace(fresh, **kept)
    if place is None:
        return msgspec.structs.replace(fresh, verdict="impossible", detail="its version of OCPP has no word for it")
    return _judged(fresh, place, facts, before, now)


_TRIED: Final = ("told", "tries", "retry_at", "changed_at", "lost_at", "proved_at")


def _judged(entry: Entry, place: Place, facts: Facts, before: Entry | None, now: datetime) -> Entry:
    known = facts.known
    if known is None or known.read_at < facts.read_after:
        return _not_told(entry, place, facts, before)
    entry = msgspec.structs.replace(entry, has=known.value)
    if same(known.value, entry.wanted, _data_type(place, known)):
        return _there(entry, known, before, now)
    if known.pending_since is not None and same(known.pending_value, entry.wanted, _data_type(place, known)):
        return msgspec.structs.replace(entry, verdict="reboot_required", retry_at=None)
    why = objection(place, entry.wanted, known, is_read=facts.is_read)
    if why is not None:
        return msgspec.structs.replace(entry, verdict="impossible", detail=why.what)
    refused = entry.tries and entry.retry_at is not None and entry.retry_at > now
    return msgspec.structs.replace(entry, verdict="refused" if refused else "differs")


def _not_told(entry: Entry, place: Place, facts: Facts, before: Entry | None) -> Entry:
    """Return a variable of which nothing is known that counts: it is read, unless the station has none."""
    if facts.known is not None:
        was_lost = before is not None and before.verdict == "lost"
        return msgspec.structs.replace(entry, verdict="lost" if was_lost else "unread", has=facts.known.value)
    why = objection(place, entry.wanted, None, is_read=facts.is_read)
    if not facts.is_read or why is None:
        return msgspec.structs.replace(entry, verdict="unread")
    return msgspec.structs.replace(entry, verdict="impossible", detail=why.what)


def _there(entry: Entry, known: Variable, before: Entry | None, now: datetime) -> Entry:
    """Return a variable that is as wanted: after a change that can break connections it has to be told once more.

    A socket may go some time after the change: what is told at once proves nothing.
    """
    owes = entry.breaks and entry.changed_at is not None and entry.proved_at is None
    done = msgspec.structs.replace(entry, tries=0, retry_at=None, lost_at=None, told="")
    if not owes:
        return msgspec.structs.replace(done, verdict="as_wanted")
    if known.read_by not in SETTING and known.read_at >= (entry.retry_at or entry.changed_at or now):
        return msgspec.structs.replace(done, verdict="as_wanted", proved_at=now)
    lost = before is not None and before.verdict == "lost"
    return msgspec.structs.replace(entry, verdict="lost" if lost else "proving")


def _data_type(place: Place, known: Variable) -> str | None:
    name = name_of(place)
    return known.data_type or (name.data_type if name else None)


# What is done next


class Trial(msgspec.Struct, frozen=True):
    """How a change that can break connections goes, of one configuration: with how many stations."""

    begun: int = 0
    proved: int = 0
    lost: int = 0


def may_break(trial: Trial, first: int, *, held: bool) -> bool:
    """Tell whether one more station may get such a change: the first few, and all others once those have come back."""
    if held or trial.lost:
        return False
    return trial.proved >= first or trial.begun + trial.proved < first


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
    if status in ("Unreachable", "Unknown"):
        return msgspec.structs.replace(entry, told=told, verdict="unread")
    return msgspec.structs.replace(
        tried, verdict="refused", tries=entry.tries + 1, retry_at=now + pause(entry.tries + 1)
    )


def due_at(entries: Sequence[Entry]) -> datetime | None:
    """Return when a station is looked at next; None: when something happens."""
    return min((each.retry_at for each in entries if each.retry_at is not None), default=None)


def pause(tries: int) -> timedelta:
    """Return how long after so many tries the next one is."""
    return min(FIRST_PAUSE * (1 << min(tries - 1, 20)), LONGEST_PAUSE)
