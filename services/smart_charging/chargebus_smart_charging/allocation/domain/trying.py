"""Vehicles of which nobody knows yet on how many phases they charge: that shows only when they do."""

import numpy as np

from chargebus_smart_charging.allocation.domain.stays import Stays
from chargebus_smart_charging.allocation.domain.tree import Floats, Mask, Tree


def tried_now(tree: Tree, stays: Stays, allocated: Floats) -> Mask:
    """Return who is to charge now at its least at least, so that its phases are known before it is too late.

    It is whoever might miss what is promised, charged from the next interval on at its least on the phases that it
    surely uses; and charges in the first interval of what is allocated (intervals x vehicles), so that there is room
    for it. Who has begun goes on until its phases are known.
    """
    unknown = np.array([demand.sure_phases > 0 for demand in tree.demands], dtype=bool)
    began = np.array([demand.untried or demand.present_a > 0 for demand in tree.demands], dtype=bool)
    least = tree.sure_wh_per_ampere_s * np.maximum(tree.minimum, 1.0)
    slack_s = stays.slack_s(stays.energy_wh, least, float(stays.lengths_s[0]))
    found: Mask = unknown & began & (slack_s < 0) & (allocated[0] > 0)
    return found
