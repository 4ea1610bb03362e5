"""What flows through the nodes of a site where something is drawn below them."""

from collections.abc import Sequence

from chargebus_smart_charging.sites.domain.bound import PlanNode
from chargebus_smart_charging.sites.domain.site import NOTHING, PerPhase


def through(nodes: Sequence[PlanNode], drawn: Sequence[tuple[int, PerPhase]]) -> list[PerPhase]:
    """Return what flows through each node: what is drawn at it and below."""
    sums = [list(NOTHING) for _ in nodes]
    for place, each in drawn:
        for phase, amperes in enumerate(each):
            sums[place][phase] += amperes
    for place in range(len(nodes) - 1, 0, -1):
        parent = nodes[place].parent
        if parent is not None:
            for phase, amperes in enumerate(sums[place]):
                sums[parent][phase] += amperes
    return [(first, second, third) for first, second, third in sums]
