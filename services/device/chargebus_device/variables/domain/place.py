"""Where a variable stands: component, variable and attribute in the words of 2.x, or a configuration key of 1.6."""

from typing import Final

import msgspec

ACTUAL: Final = "Actual"
ATTRIBUTES: Final = ("Actual", "Target", "MinSet", "MaxSet")
NAME_LIMIT: Final = 100
"""Characters of a name that are kept; OCPP allows 50."""

LARGEST_ID: Final = 99_999
_BETWEEN: Final = "\x1f"


class Place(msgspec.Struct, frozen=True, order=True):
    """An attribute of a variable; the component of a configuration key of 1.6 is empty, EVSE 0 is the station.

    `variable` is empty where a whole component is meant.
    """

    component: str = ""
    component_instance: str = ""
    evse_id: int = 0
    connector_id: int = 0
    variable: str = ""
    variable_instance: str = ""
    attribute: str = ACTUAL

    @property
    def key(self) -> str:
        """What is the same however it is spelt: names are compared without case.

        Spec: OCPP 1.6 9 (CiString); OCPP 2.0.1 Part 2, 2.1.3 (identifierString)
        """
        place = f"{self.evse_id:05}", f"{self.connector_id:05}"
        names = self.component, self.component_instance, *place, self.variable, self.variable_instance, self.attribute
        return _BETWEEN.join(names).casefold()

    @property
    def text(self) -> str:
        """The place in words, as problems name it: `Connector[x]@1.2/ConnectorType[y]:MaxSet`, or a key."""
        evse = f"@{self.evse_id}" + (f".{self.connector_id}" if self.connector_id else "") if self.evse_id else ""
        component = f"{self.component}{_instance(self.component_instance)}{evse}/" if self.component else ""
        attribute = "" if self.attribute == ACTUAL else f":{self.attribute}"
        return f"{component}{self.variable}{_instance(self.variable_instance)}{attribute}"


def _instance(name: str) -> str:
    return f"[{name}]" if name else ""
