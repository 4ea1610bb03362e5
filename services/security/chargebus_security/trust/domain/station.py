"""What is done next about the roots on a station: one thing at a time. Pure.

It is asked what it has; what is missing is installed, what is not wanted is deleted after that, and it is asked again,
since what it says it did counts less than what it has.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec
from chargebus_certificates.anchors import has_issued, is_issuer_named

from chargebus_security.inventory.domain.certificate import Certificate, RootType
from chargebus_security.inventory.domain.hashes import HashData
from chargebus_security.trust.domain.policy import Policy

CSMS_ROOT: Final = "CSMSRootCertificate"
IN_USE: Final = "it is marked as in use: connections stand under it"
UNDER_EDGES: Final = "a certificate of an edge stands under it"

Order = Literal["install", "delete"]
Asking = Literal["", "report", "install", "delete"]
Told = Literal["accepted", "refused", "unsupported", "away", "unknown"]
Outcome = Literal["asked", "accepted", "refused"]
Verdict = Literal["as wanted", "missing", "not wanted", "kept", "other"]

FIRST_PAUSE: Final = timedelta(minutes=10)
LONGEST_PAUSE: Final = timedelta(days=1)


class Installed(msgspec.Struct, frozen=True):
    """A certificate that a station says it has, named in its own words; `children`: those below it in its chain."""

    certificate_type: str
    named: HashData
    children: tuple[HashData, ...] = ()

    @property
    def hash_key(self) -> str:
        """What is the same for all ways of naming it."""
        return self.named.key


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried to change on a station, and what came of it last; it goes when the station has it so.

    Attributes:
        outcome: asked, accepted (and not seen yet), or refused.
        told: the station's own word, or how the command ended.
        retry_at: when it is tried again; None: not before the station has told again what it has.
    """

    certificate_type: str
    certificate_id: str
    what: Order
    outcome: Outcome = "asked"
    told: str = ""
    tries: int = 0
    changed_at: datetime
    retry_at: datetime | None = None

    @property
    def may_be_gone(self) -> bool:
        """Whether it is about a certificate that is being deleted, or was, and nobody has seen yet what came of it."""
        return self.what == "delete" and self.outcome != "refused" and self.retry_at is None


class TrustStation(msgspec.Struct, frozen=True, kw_only=True):
    """A station as the certificates on it go.

    Attributes:
        asking: what it is being asked; `pending`: how many answers are to come of that.
        report_at: when it is to tell what it has; None: nobody wants to know.
        reported_at: when it told last.
        tries: how often it has not told since.
        is_able: whether it knows the messages; it is tried again when it has booted.
        detail: why it did not tell, in words.
        drift: how many roots it lacks, or has though they are not wanted.
        due_at: when there is something to be done; None: when something happens.
    """

    station_id: str
    asking: Asking = ""
    pending: int = 0
    report_at: datetime | None = None
    reported_at: datetime | None = None
    tries: int = 0
    is_able: bool = True
    detail: str = ""
    drift: int = 0
    due_at: datetime | None = None


class Entry(msgspec.Struct, frozen=True):
    """A certificate that a station has, or is to have, under a type.

    `missing` is installed, `not wanted` deleted; `kept` is not wanted and stays all the same, for why `reason` says;
    `other` is nobody's business.
    """

    certificate_type: str
    certificate_id: str
    verdict: Verdict
    reason: str = ""
    installed: Installed | None = None
    change: Change | None = None


class Facts(msgspec.Struct, frozen=True):
    """What is known about a station: what counts for it, what it has, what was tried.

    `named`: the certificates by the keys of their names; `by_id`: those that are wanted. `issuers` are those under whom
    the edges' certificates stand.
    """

    policies: Mapping[RootType, Policy]
    installed: Collection[Installed]
    changes: Collection[Change]
    named: Mapping[str, Certificate]
    by_id: Mapping[str, Certificate]
    issuers: Collection[str] = ()


class Report(msgspec.Struct, frozen=True):
    """Ask what it has."""


class Install(msgspec.Struct, frozen=True):
    """Have it install a root."""

    certificate_type: RootType
    certificate: Certificate


class Delete(msgspec.Struct, frozen=True):
    """Have it delete what it names so."""

    certificate_type: str
    certificate_id: str
    named: HashData


Action: TypeAlias = Report | Install | Delete


def compare(facts: Facts, now: datetime) -> list[Entry]:
    """Return what a station has beside what it is to have."""
    changes = {(each.certificate_type, each.certificate_id): each for each in facts.changes}
    entries, seen = [], set()
    for each in facts.installed:
        certificate = facts.named.get(each.hash_key)
        certificate_id = each.hash_key if certificate is None else certificate.certificate_id
        place = each.certificate_type, certificate_id
        seen.add(place)
        verdict, reason = _verdict(each, certificate, facts, now)
        entries.append(Entry(*place, verdict, reason, each, changes.get(place)))
    for certificate_type, policy in facts.policies.items():
        for certificate_id in policy.certificate_ids:
            place = certificate_type, certificate_id
            if place not in seen:
                entries.append(Entry(*place, "missing", "", None, changes.get(place)))
    return sorted(entries, key=lambda each: (each.certificate_type, each.certificate_id))


def protection(installed: Installed, facts: Facts, now: datetime) -> str:
    """Return why a certificate must not be deleted from a station; empty if it may be.

    The last root that works is never deleted, nor one under which a certificate of an edge stands, or that is marked as
    in use. Stations are told hashes, and no type: what is a root for the CSMS as well is one under any type. A root of
    which a deletion is under way, or not seen yet, is none that is left.
    """
    certificate = facts.named.get(installed.hash_key)
    if certificate is not None and (why := objection(certificate, facts)):
        return why
    if certificate is None and _is_named_by_edges(installed.hash_key, facts.issuers):
        return UNDER_EDGES
    ours = [each for each in (installed, *facts.installed) if each.certificate_type == CSMS_ROOT]
    ids = _ids(installed, facts)
    if all(ids.isdisjoint(_ids(each, facts)) for each in ours):
        return ""
    ids |= {each.certificate_id for each in facts.changes if each.may_be_gone}
    for other in ours:
        known = facts.named.get(other.hash_key)
        if known is not None and known.is_valid(now) and ids.isdisjoint(_ids(other, facts)):
            return ""
    return "it has no other root for the CSMS that is known to be valid: without one it may never come back"


def objection(certificate: Certificate, facts: Facts) -> str:
    """Return why a certificate is to be deleted nowhere; empty if it may be."""
    if certificate.in_use:
        return IN_USE
    if not facts.issuers:
        return ""
    itself = certificate.x509
    if itself is None:
        return UNDER_EDGES if any(_is_named_by_edges(key, facts.issuers) for key in certificate.hash_keys) else ""
    return UNDER_EDGES if has_issued(itself, facts.issuers) else ""


def next_step(station: TrustStation, facts: Facts, now: datetime) -> tuple[TrustStation, Action | None]:
    """Return what a station is asked next, and the station as it is then."""
    entries = compare(facts, now)
    drift = sum(each.verdict in ("missing", "not wanted") for each in entries)
    station = msgspec.structs.replace(station, drift=drift if station.reported_at else 0, due_at=None)
    if station.asking or not station.is_able:
        return station, None
    never = station.reported_at is None and station.report_at is None and bool(facts.policies)
    if never or (station.report_at is not None and station.report_at <= now):
        return _asking(station, "report"), Report()
    if station.reported_at is None:
        return msgspec.structs.replace(station, due_at=station.report_at), None
    missing = [each for each in entries if each.verdict == "missing"]
    unseen = any(each.outcome == "accepted" for each in facts.changes)
    surplus = [] if missing or unseen else [each for each in entries if each.verdict == "not wanted"]
    for entry in (*missing, *surplus):
        action = _action(entry, facts)
        if action is not None and _may_try(entry.change, now):
            return _asking(station, "install" if entry.installed is None else "delete"), action
    if unseen:
        return _asking(station, "report"), Report()
    retries = (each.change.retry_at for each in (*missing, *surplus) if each.change is not None)
    due = [at for at in (station.report_at, *retries) if at is not None]
    return msgspec.structs.replace(station, due_at=min(due, default=None)), None


def told(station: TrustStation, change: Change, answer: Told, word: str, now: datetime) -> tuple[TrustStation, Change]:
    """Return them after the station answered what it was asked to change; `word` is its own, or why it said nothing."""
    free = msgspec.structs.replace(station, asking="", pending=0, due_at=now)
    tried = msgspec.structs.replace(change, told=word, tries=change.tries + 1, changed_at=now, retry_at=None)
    if answer == "accepted":
        return free, msgspec.structs.replace(tried, outcome="accepted")
    if answer == "away":
        return msgspec.structs.replace(free, due_at=None), msgspec.structs.replace(
            tried, tries=change.tries, retry_at=now
        )
    if answer == "unsupported":
        return msgspec.structs.replace(free, is_able=False, detail=word), msgspec.structs.replace(
            tried, outcome="refused"
        )
    if answer == "unknown":
        free = msgspec.structs.replace(free, report_at=now)
        if change.what == "delete":  # it may have done it: it counts as gone until it has told what it has
            return free, msgspec.structs.replace(tried, outcome="asked")
    return free, msgspec.structs.replace(tried, outcome="refused", retry_at=now + pause(tried.tries))


def seen(changes: Iterable[Change], installed: Collection[tuple[str, str]], now: datetime) -> list[Change]:
    """Return what is left to do of what was tried, once a station has told what it has, as (type, certificate)."""
    ids, left = {certificate_id for _, certificate_id in installed}, []
    for each in changes:
        place = each.certificate_type, each.certificate_id
        has = each.certificate_id in ids if each.what == "delete" else place in installed
        if has == (each.what == "install"):
            continue
        if each.outcome == "accepted" or (each.may_be_gone and each.told):
            word = f"{each.told}, and it has not done it" if each.told else "it has not done it"
            each = msgspec.structs.replace(  # noqa: PLW2901 - the same one, known better
                each, outcome="refused", told=word, retry_at=now + pause(each.tries), changed_at=now
            )
        left.append(each)
    return left


def reported(station: TrustStation, now: datetime, every: timedelta | None) -> TrustStation:
    """Return a station after it told what it has; it is asked again after `every`."""
    again = None if every is None else now + every
    return msgspec.structs.replace(
        station, asking="", pending=0, reported_at=now, report_at=again, tries=0, detail="", is_able=True, due_at=now
    )


def not_reported(station: TrustStation, answer: Told, word: str, now: datetime) -> TrustStation:
    """Return a station after it did not tell what it has."""
    free = msgspec.structs.replace(station, asking="", pending=0, detail=word)
    if answer == "unsupported":
        return msgspec.structs.replace(free, is_able=False, report_at=None, due_at=None)
    if answer == "away":  # it is asked when it is back
        return msgspec.structs.replace(free, report_at=now, due_at=None)
    again = now + pause(station.tries + 1)
    return msgspec.structs.replace(free, tries=station.tries + 1, report_at=again, due_at=again)


def back(station: TrustStation, now: datetime, settle: timedelta | None) -> TrustStation:
    """Return a station that is there again; after a boot it is to tell what it has, when it has settled."""
    if settle is None:
        return msgspec.structs.replace(station, due_at=station.due_at or now)
    at = now + settle
    report_at = at if station.report_at is None else min(station.report_at, at)
    return msgspec.structs.replace(station, report_at=report_at, is_able=True, due_at=at)


def pause(tries: int) -> timedelta:
    """Return how long after so many tries the next one is."""
    return min(FIRST_PAUSE * (1 << min(tries - 1, 20)), LONGEST_PAUSE)


def _is_named_by_edges(key: str, issuers: Collection[str]) -> bool:
    """Tell whether edges stand under what nobody uploaded, by the `key` of its name: a root's is that of its issuer."""
    _, name_hash, *_ = key.split(":")
    return is_issuer_named(name_hash, issuers)


def _verdict(installed: Installed, certificate: Certificate | None, facts: Facts, now: datetime) -> tuple[Verdict, str]:
    policy = next((each for kind, each in facts.policies.items() if kind == installed.certificate_type), None)
    if policy is None:
        return "other", ""
    if certificate is not None and certificate.certificate_id in policy.certificate_ids:
        return "as wanted", ""
    if policy.others == "keep":
        return "other", ""
    if certificate is not None and any(
        certificate.certificate_id in e.certificate_ids for e in facts.policies.values()
    ):
        return "kept", "a policy wants it under another type, and stations delete it under all"
    why = protection(installed, facts, now)
    return ("kept", why) if why else ("not wanted", "")


def _action(entry: Entry, facts: Facts) -> Install | Delete | None:
    if entry.installed is not None:
        return Delete(entry.certificate_type, entry.certificate_id, entry.installed.named)
    certificate = facts.by_id.get(entry.certificate_id)
    kind = next((kind for kind in facts.policies if kind == entry.certificate_type), None)
    return None if certificate is None or kind is None else Install(kind, certificate)


def _may_try(change: Change | None, now: datetime) -> bool:
    return change is None or (change.retry_at is not None and change.retry_at <= now)


def _asking(station: TrustStation, what: Asking) -> TrustStation:
    return msgspec.structs.replace(station, asking=what, pending=1, due_at=None)


def _ids(installed: Installed, facts: Facts) -> set[str]:
    """Return by what a certificate is known: what is the same under any type, and in the words of any station."""
    known = facts.named.get(installed.hash_key)
    return {installed.hash_key} | (set() if known is None else {known.certificate_id})
