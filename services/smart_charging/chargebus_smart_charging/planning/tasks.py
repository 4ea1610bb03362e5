"""What time does in planning: sites are planned when they are due, optimisers run, what is old is forgotten."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_smart_charging.planning.operations.planning import Planning
from chargebus_smart_charging.planning.operations.pruning import Pruning
from chargebus_smart_charging.planning.operations.solver import Solvers

_LOOKS_EVERY_S: Final = 0.5


def tasks(
    planning: Planning, solvers: Solvers, pruning: Pruning, planners: int, forget_every_s: float
) -> Sequence[Hook]:
    """Return what is to run for as long as the service does; `planners` plan side by side."""
    return (
        solvers.run,
        *(every(_LOOKS_EVERY_S, "planning sites", planning.sweep) for _ in range(planners)),
        every(forget_every_s, "forgetting old plans", pruning.sweep),
    )
