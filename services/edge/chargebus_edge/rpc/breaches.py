"""Frames of stations against their schemas: what breaks one is refused only if nobody can tell what it means."""

from functools import partial
from typing import Final

from chargebus_ocppj.deviations import Deviation, Kind
from chargebus_ocppj.errors import OcppError, PropertyConstraintError
from chargebus_ocppj.frames import Call, Send
from chargebus_ocppj.mending import by_default, examine
from chargebus_ocppj.schemas import check_call
from chargebus_ocppj.versions import Version

from chargebus_edge.door.tolerance import Tolerance

_NAMED: Final = 4


class BreachError(Exception):
    """A payload breaks its schema, and is refused for it: the error that says so, and all that is wrong."""

    def __init__(self, error: OcppError, deviations: tuple[Deviation, ...]) -> None:
        self.error = error
        self.deviations = deviations
        super().__init__(str(error))


def check(version: Version, tolerance: Tolerance, frame: Call | Send) -> tuple[Deviation, ...]:
    """Return in what ways a frame deviates and can be understood all the same; none of nearly all.

    Raises:
        BreachError: it cannot be understood, or may not be.
        OcppError: its action is not one of the version's.
    """
    action, payload = frame.action, frame.payload
    try:
        if check_call(version, action, payload) or tolerance.strict:
            return frame.deviations
        error: OcppError = PropertyConstraintError(version, "payload: a time has no zone, or not as RFC 3339 has it")
    except OcppError as breach:
        error = breach
    examined = examine(version, action, payload, partial(accepts, tolerance, action))
    deviations = (*frame.deviations, *examined.deviations)
    if examined.payload is None:
        raise BreachError(error, deviations)
    return deviations


def accepts(tolerance: Tolerance, action: str, kind: Kind) -> bool:
    """Return whether such a deviation of a station is read as it is meant."""
    treatment = tolerance.treatment(action, kind)
    return by_default(kind) if treatment is None else treatment == "accept"


def in_words(deviations: tuple[Deviation, ...]) -> str:
    """Return the first few deviations as the log has them."""
    return ", ".join(f"{each.kind} {each.path} {each.detail}".strip() for each in deviations[:_NAMED])
