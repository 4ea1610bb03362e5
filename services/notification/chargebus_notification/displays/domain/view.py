"""What is wanted on a station beside what it reported, number by number."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from chargebus_notification.displays.domain.message import Face, Message, difference
from chargebus_notification.displays.domain.shown import Shown

Verdict = Literal["as wanted", "differs", "missing", "not wanted", "of others", "not shown"]


class Entry(msgspec.Struct, frozen=True):
    """A number on a station: the message that is wanted under it, the one that was reported, and how they agree.

    `differs`, `missing` and `not wanted` are repaired; `of others` is left alone; `not shown` is what the
    station was not told yet, or refused.
    """

    number: int
    verdict: Verdict
    shown: Shown | None = None
    wanted: Face | None = None
    reported: Face | None = None
    difference: tuple[str, ...] = ()


def side_by_side(
    shown: Sequence[Shown],
    messages: Mapping[str, Message],
    reported: Mapping[int, Face],
    told: Callable[[Face], Face],
) -> Iterable[Entry]:
    """Return what there is, in the order of numbers; `told` says what of a message the station's version is told."""
    ours = {each.number: each for each in shown}
    for number in sorted({*ours, *reported}):
        known, its = ours.get(number), reported.get(number)
        if known is None:
            yield Entry(number, "of others", reported=its)
            continue
        message = messages.get(known.message_id)
        wanted = message.face if message is not None and known.is_wanted else None
        if wanted is None or known.status == "over":
            if its is not None:
                yield Entry(number, "not wanted", known, None, its)
            elif known.status in ("clearing", "refused"):
                yield Entry(number, "not shown", known)
        elif its is None:
            yield Entry(number, "missing" if known.status == "shown" else "not shown", known, wanted)
        else:
            unlike = difference(told(wanted), its)
            yield Entry(number, "differs" if unlike else "as wanted", known, wanted, its, unlike)
