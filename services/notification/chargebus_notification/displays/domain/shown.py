"""One wanted message on one station: what it was told, what it said, and what is to be done next.

```
            told             Accepted
 waiting ─────────▶ telling ─────────▶ shown ──▶ over (its end has come)
    ▲                  │ │               │
    │ away, no answer  │ └──▶ refused,   │ not wanted any more
    └──────────────────┘      unsupported▼
    ▲ reported otherwise              clearing ──▶ gone
    └── shown
```
"""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

Status = Literal["waiting", "telling", "shown", "refused", "unsupported", "clearing", "gone", "over"]
Order = Literal["tell", "clear"]
Kind = Literal["accepted", "refused", "unsupported", "unknown", "away"]

OF_ANOTHER_TRANSACTION: Final = "UnknownTransaction"
"""What a station says of a message for a transaction that it does not have, or that is over."""

FIRST_RETRY: Final = timedelta(seconds=30)
LAST_RETRY: Final = timedelta(hours=1)
LOST: Final = timedelta(minutes=15)
"""How long after a command went out its end is surely known: what is still under way then is asked anew."""


class Ending(msgspec.Struct, frozen=True):
    """How a command ended.

    `unknown`: nobody knows what the station made of it; `away`: it never got there. `reason` is the station's own word
    where it gave one, `detail` what it said besides.
    """

    kind: Kind
    reason: str = ""
    detail: str = ""


class Shown(msgspec.Struct, frozen=True):
    """A message on a station, under a number of ours.

    `wanted`, `told` and `asking` are fingerprints: of what is wanted, of what the station took last, and of what it is
    being told. `repaired` counts how often it was told anew as the station reported something else.
    """

    station_id: str
    message_id: str
    number: int
    wanted: str
    changed_at: datetime
    is_wanted: bool = True
    status: Status = "waiting"
    told: str = ""
    asking: str = ""
    reason: str = ""
    detail: str = ""
    tries: int = 0
    repaired: int = 0
    due_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the station is being told something."""
        return self.asking != ""

    @property
    def is_held(self) -> bool:
        """Whether its display has it, or may have."""
        return self.told != "" or self.status == "telling"

    def is_over(self, now: datetime) -> bool:
        """Tell whether the station drops it by itself. Spec: OCPP 2.0.1 O01.FR.07."""
        return self.ends_at is not None and self.ends_at <= now


_CLEARING: Final = "clear"


def want(known: Shown, fingerprint: str, ends_at: datetime | None, now: datetime) -> Shown:
    """Return that a message is wanted, as it is now; nothing is done where the station has it so."""
    if known.is_wanted and known.wanted == fingerprint and known.ends_at == ends_at:
        return known
    wanted = msgspec.structs.replace(known, is_wanted=True, wanted=fingerprint, ends_at=ends_at, changed_at=now)
    return wanted if wanted.is_under_way else _to_tell(wanted, now)


def unwant(known: Shown, now: datetime) -> Shown:
    """Return that a message is wanted no more."""
    if not known.is_wanted:
        return known
    gone = msgspec.structs.replace(known, is_wanted=False, changed_at=now)
    return gone if gone.is_under_way else _to_clear(gone, now)


def due(known: Shown, now: datetime) -> tuple[Shown, Order | None]:
    """Return what is asked of the station now, if anything, and what is known then."""
    if known.is_over(now) and known.is_wanted:
        return _rests(msgspec.structs.replace(known, asking=""), "over", now), None
    if known.is_wanted:
        telling = msgspec.structs.replace(known, status="telling", asking=known.wanted, due_at=now + LOST)
        return telling, "tell"
    return msgspec.structs.replace(known, status="clearing", asking=_CLEARING, due_at=now + LOST), "clear"


def put_off(known: Shown, until: datetime) -> Shown:
    """Return that a message waits until then, for what its station says that it takes."""
    detail = "the station is asked what its display takes"
    return msgspec.structs.replace(known, status="waiting", due_at=until, reason="", detail=detail)


def ended(known: Shown, ending: Ending, now: datetime) -> Shown:
    """Return what is known after what was asked of the station has ended."""
    if not known.is_under_way:
        return known
    order = known.asking
    after = msgspec.structs.replace(known, asking="", reason=ending.reason, detail=ending.detail, changed_at=now)
    if ending.kind in ("unknown", "away"):
        return _again(after, ending, order, now)
    cleared = order == _CLEARING
    taken = ending.kind == "accepted"
    told = ("" if cleared else order) if taken else known.told
    after = msgspec.structs.replace(after, tries=0, told=told)
    if not after.is_wanted:
        if cleared:
            return _rests(after, "gone" if taken else "refused", now)
        return _to_clear(after, now)
    if cleared or order != after.wanted:
        return _to_tell(after, now)
    return _rests(after, "shown" if taken else ending.kind, now)  # type: ignore[arg-type]


def woken(known: Shown, now: datetime, *, booted: bool) -> Shown:
    """Return what is known when a station is there again; after a boot it is asked again what it refused."""
    if known.is_under_way:
        return known
    refused = known.status in ("refused", "unsupported") and known.reason != OF_ANOTHER_TRANSACTION
    if known.status in ("waiting", "clearing") or (booted and refused):
        status: Status = "waiting" if known.is_wanted else "clearing"
        return msgspec.structs.replace(known, status=status, due_at=now, tries=0)
    return known


def compared(known: Shown, unlike: tuple[str, ...] | None, asked_at: datetime, now: datetime) -> Shown:
    """Return what is known after the station reported: `unlike` says in what; None: it does not have the message.

    What changed after the report was asked for is not judged by it.
    """
    if known.is_under_way or known.changed_at > asked_at:
        return known
    if not known.is_wanted or known.status in ("over", "gone"):
        return known if unlike is None else _to_clear(known, now, again=True)
    if unlike == ():
        return known if known.status == "shown" else _rests(_said_nothing(known), "shown", now)
    if known.status == "shown":
        return _to_tell(msgspec.structs.replace(known, repaired=known.repaired + 1, told=""), now)
    return known


def _said_nothing(known: Shown) -> Shown:
    return msgspec.structs.replace(known, reason="", detail="", told=known.wanted, tries=0)


def _to_tell(known: Shown, now: datetime) -> Shown:
    if known.told == known.wanted:
        return _rests(known, "shown", now)
    return msgspec.structs.replace(known, status="waiting", due_at=now, tries=0, changed_at=now, reason="", detail="")


def _to_clear(known: Shown, now: datetime, *, again: bool = False) -> Shown:
    """Return that the station is to drop it; one that it never had, or drops by itself, need not be asked for."""
    if not again and known.is_over(now):
        return _rests(known, "over", now)
    if not again and known.told == "" and known.status != "shown" and known.reason != _UNKNOWN:
        return _rests(known, "gone", now)
    return msgspec.structs.replace(known, status="clearing", due_at=now, tries=0, changed_at=now)


_UNKNOWN: Final = "no answer"


def _again(known: Shown, ending: Ending, order: str, now: datetime) -> Shown:
    """Return when it is asked again: nothing is lost if a station is told the same message twice."""
    is_unknown = ending.kind == "unknown"
    told = "" if is_unknown and order != _CLEARING else known.told
    after = msgspec.structs.replace(known, told=told, reason=_UNKNOWN if is_unknown else "away", tries=known.tries + 1)
    pause = min(FIRST_RETRY * 2 ** min(known.tries, 12), LAST_RETRY)
    status: Status = "waiting" if after.is_wanted else "clearing"
    return msgspec.structs.replace(after, status=status, due_at=now + pause)


def _rests(known: Shown, status: Status, now: datetime) -> Shown:
    told = "" if status in ("over", "gone") else known.told
    return msgspec.structs.replace(known, status=status, told=told, due_at=None, changed_at=now)
