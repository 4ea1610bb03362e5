"""What is refused about limits and readings."""

from collections.abc import Sequence

from chargebus_smart_charging.sites.errors import Objection


class LimitError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownLimitError(LimitError):
    """Nobody has set the limit, or it is gone."""


class UnmeteredNodeError(LimitError):
    """The site has no such node, or its other loads are not told over HTTP."""


class UnfitLimitError(LimitError):
    """A limit or reading contradicts itself, or the site."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("; ".join(objection.what for objection in objections))
        self.objections = objections
