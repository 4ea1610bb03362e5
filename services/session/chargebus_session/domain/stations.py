"""Owns what presence tells: which station is connected, and in which version."""

from collections.abc import Iterable, Mapping

import msgspec


class Announcement(msgspec.Struct, frozen=True):
    """A connection, or its end, in the order of the log; `epoch` tells connections apart."""

    station_id: str
    epoch: int
    connected: bool
    version: str


def follow(known: Mapping[str, Announcement], told: Iterable[Announcement]) -> dict[str, Announcement]:
    """Return the newest connection of each station that is told of; those that do not change are left out.

    A connection replaces an older one, and itself; an end counts for its own connection only.
    """
    changed: dict[str, Announcement] = {}
    for each in told:
        before = changed.get(each.station_id) or known.get(each.station_id)
        if each.connected and (before is None or each.epoch >= before.epoch):
            changed[each.station_id] = each
        elif not each.connected and before is not None and each.epoch == before.epoch:
            changed[each.station_id] = msgspec.structs.replace(before, connected=False)
    return changed
