"""Which worker runs which test: whoever is free takes the next, but a group stays in one worker, in order.

A group is xdist's (`pytest.mark.xdist_group`). Its own scheduling (`--dist loadgroup`) writes the group into a test's
id, which pytest 9.2 does not take; here workers tell it.

What may take longest is begun first, so that no worker is left alone with it at the end.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

GROUP: Final = "xdist_group"
SERVER: Final = "server"
LONG: Final = "long"

_OF_ITS_TIMEOUT: Final = 1 / 12
_LONG_S: Final = 3.0
_WITH_A_SERVER_S: Final = 1.0
_ALONE_S: Final = 0.02


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Deals out single tests, and groups as a whole, in the order in which the workers have put them.

    Args:
        config: of the process that deals out.
        log: xdist's own.
        groups: of those tests that have one, by their ids; known once the workers have collected.
    """

    def __init__(self, config: pytest.Config, log: "Producer", groups: Mapping[str, str]) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)
        self._groups = groups

    def _split_scope(self, nodeid: str) -> str:
        return self._groups.get(nodeid, nodeid)


def group(item: pytest.Item) -> str:
    """Return the group that a test belongs to, or nothing."""
    mark = item.get_closest_marker(GROUP)
    return str(mark.args[0]) if mark is not None else ""


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return tests with those first that may take long, alone or as a group; a group's own order stays as it is."""
    units: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        units[group(item) or item.nodeid].append(item)
    ordered = sorted(units.values(), key=lambda unit: -sum(map(_may_take_s, unit)))
    return [item for unit in ordered for item in unit]


def share_out(folders: Iterable[Path], lines: int) -> dict[Path, int]:
    """Return in which of so many lines each folder's tests stand, such that the lines are about as long.

    Args:
        folders: of each test.
        lines: how many there are; the first is 0. Of one folder alone, all stand in that.
    """
    standing = [0] * lines
    line_of: dict[Path, int] = {}
    for folder, tests in sorted(Counter(folders).items(), key=lambda counted: (-counted[1], counted[0])):
        shortest = standing.index(min(standing))
        line_of[folder] = shortest
        standing[shortest] += tests
    return line_of


def _may_take_s(item: pytest.Item) -> float:
    """Guess how long a test takes: what takes long has a timeout of its own, some times as long."""
    mark = item.get_closest_marker("timeout")
    if mark is not None and mark.args:
        return float(mark.args[0]) * _OF_ITS_TIMEOUT
    guesses = ((LONG, _LONG_S), (SERVER, _WITH_A_SERVER_S))
    return next((guess for name, guess in guesses if item.get_closest_marker(name) is not None), _ALONE_S)
