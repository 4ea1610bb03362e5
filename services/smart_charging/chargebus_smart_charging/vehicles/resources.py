"""The JSON of what drivers need."""

from typing import Annotated, Final

from chargebus_runtime.http import Input, UtcDatetime
from pydantic import BaseModel, ConfigDict, Field

from chargebus_smart_charging.vehicles.domain.needs import Kind

MOST_WH: Final = 1_000_000.0
MOST_STAY_S: Final = 30 * 86400.0
MOST_PRIORITY: Final = 100.0

EnergyWh = Annotated[float, Field(ge=0, le=MOST_WH, description="Energy in Wh, from the session's start on")]
StayS = Annotated[float, Field(gt=0, le=MOST_STAY_S, description="How long it stays from the session's start, in s")]
Priority = Annotated[
    float,
    Field(gt=0, le=MOST_PRIORITY, description="The weight of its share where there is not enough; 1 is usual"),
]


class DriverNeedsIn(Input):
    """What drivers of a class need; what is left out is what the site says."""

    energy_wh: EnergyWh | None = None
    stay_s: StayS | None = None
    priority: Priority | None = None


class DriverNeedsOut(BaseModel):
    """What drivers of a class need."""

    model_config = ConfigDict(from_attributes=True)

    kind: Kind = Field(description="Whether `value` is a token's text, its group's id, or a type")
    value: str
    energy_wh: float | None
    stay_s: float | None
    priority: float | None


class SessionNeedsIn(Input):
    """What a session needs; it takes the place of what was said before, and what is left out is not said."""

    energy_wh: EnergyWh | None = None
    departs_at: UtcDatetime | None = Field(default=None, description="When the vehicle leaves")
    priority: Priority | None = None
