"""What is refused about series."""

from collections.abc import Sequence

from chargebus_smart_charging.sites.errors import Objection


class SeriesError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownSeriesError(SeriesError):
    """Nobody has told of such a series."""


class UnfitSeriesError(SeriesError):
    """A series contradicts itself, or is over."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("; ".join(objection.what for objection in objections))
        self.objections = objections
