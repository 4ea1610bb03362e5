"""Why something is not asked of a station's variables; each text is for the caller."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldObjection:
    """What is wrong with one member of what was sent, such as `variables.0.value`."""

    where: str
    what: str


class VariableError(Exception):
    """What was asked for was not done."""


class UnknownStationError(VariableError):
    """There is no such station."""


class UnknownRequestError(VariableError):
    """There is no such request."""


class NoVersionError(VariableError):
    """It is not known which version of OCPP the station speaks, and so not in which words to ask."""


class ReadOnlyVariableError(VariableError):
    """A variable says of itself that it cannot be set."""


class UnfitVariableError(VariableError):
    """What was sent cannot be asked of this station."""

    def __init__(self, objections: Sequence[FieldObjection]) -> None:
        super().__init__("; ".join(f"{each.where}: {each.what}" for each in objections))
        self.objections = tuple(objections)
