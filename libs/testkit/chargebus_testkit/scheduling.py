"""Which worker runs which test: whoever is free takes the next, but a group stays in one worker, in order.

A group is xdist's (`pytest.mark.xdist_group`). Its own scheduling (`--dist loadgroup`) writes the group into a test's
id, which pytest 9.2 does not take; here workers tell it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

GROUP: Final = "xdist_group"


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Deals out single tests, and groups as a whole; the largest comes first.

    Args:
        config: of the process that deals out.
        log: xdist's own.
        groups: of those tests that have one, by their ids; known once the workers have collected.
    """

    def __init__(self, config: pytest.Config, log: "Producer", groups: Mapping[str, str]) -> None:
        super().__init__(config, log)
        self._groups = groups

    def _split_scope(self, nodeid: str) -> str:
        return self._groups.get(nodeid, nodeid)
