"""How long smart charging takes to plan, measured in a process of its own."""

import subprocess
import sys
from typing import Final

import msgspec

_MODULE: Final = "chargebus_simulation.planning_speed"
ALLOWED_S: Final = {"allocator": 0.1, "optimiser": 2.0, "sites": 60.0}
"""What a plan of 1,000 vehicles may take, and one of each of 2,000 sites: the interval at which they are planned."""


class PlanningFigures(msgspec.Struct, frozen=True):
    """CPU seconds for a plan of one large site and for one of each of many small ones; the shares left unserved."""

    vehicles: int
    allocator_s: float
    allocator_unserved: float
    optimiser_s: float
    optimiser_unserved: float
    sites: int
    evses: int
    sites_s: float


def planning_figures() -> PlanningFigures:
    """Measure planning; nothing else may run meanwhile."""
    found = subprocess.run([sys.executable, "-m", _MODULE], check=True, capture_output=True)
    # The solver says who made it before anybody can ask it not to.
    return msgspec.json.decode(found.stdout[found.stdout.rindex(b"{") :], type=PlanningFigures)


def planning_line(figures: PlanningFigures) -> str:
    """Return what planning costs, and how much of what it may take that is."""
    return (
        f"a plan of {figures.vehicles} vehicles costs {figures.allocator_s} s of CPU"
        f" ({figures.allocator_s / ALLOWED_S['allocator']:.2f} of what it may),"
        f" by the optimiser {figures.optimiser_s} s ({figures.optimiser_s / ALLOWED_S['optimiser']:.2f}),"
        f" and leaves {figures.allocator_unserved:.2%} and {figures.optimiser_unserved:.2%} unserved;"
        f" planning {figures.sites} sites of {figures.evses} EVSEs anew costs {figures.sites_s} s"
        f" ({figures.sites_s / ALLOWED_S['sites']:.2f})"
    )
