"""What is refused about plans."""

from collections.abc import Sequence

from chargebus_smart_charging.sites.errors import Objection


class PlanningError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownOverrideError(PlanningError):
    """There is no such limit of an operator."""


class UnfitError(PlanningError):
    """What is asked for does not fit the site."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("; ".join(objection.what for objection in objections))
        self.objections = objections
