"""The JSON of series over HTTP."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from chargebus_runtime.http import Input, UtcDatetime, WholeNumber
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chargebus_smart_charging.series.domain.series import MOST_VALUES, Series
from chargebus_smart_charging.series.domain.timeline import KnownSeries
from chargebus_smart_charging.sites.resources import PLAIN

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_VALUE: Final = 1e9

Text = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PLAIN)]
Kind = Literal["price", "co2", "demand"]


class SeriesDescription(Input):
    """Prices, CO2 or demand of the grid over time."""

    zone: Text = Field(description="a zone that sites name, or a site's id")
    kind: Kind
    source: Text = Field(description="who says so")
    unit: Annotated[str, StringConstraints(pattern=r"^([A-Z]{3}/[kM]Wh|g/kWh|kg/MWh|share)$")] = Field(
        description="of a price such as EUR/kWh, of CO2 g/kWh, of demand share: of what the grid can carry, 0 to 1"
    )
    starts_at: UtcDatetime
    resolution_s: WholeNumber = Field(ge=1, le=7 * 86_400, description="how long each value holds")
    values: list[Annotated[float, Field(ge=-_VALUE, le=_VALUE)] | None] = Field(
        min_length=1, max_length=MOST_VALUES, description="one after the other; null is a hole"
    )
    valid_until: UtcDatetime | None = Field(default=None, description="after that it is not to be used")

    def series(self) -> Series:
        """Return it as the domain knows it, told at no time yet."""
        return Series(
            self.zone,
            self.kind,
            self.source,
            self.unit,
            _NEVER,
            self.starts_at,
            self.resolution_s,
            tuple(self.values),
            self.valid_until,
        )


class HoleOut(BaseModel):
    """A time of which nothing is known, though something is of later ones."""

    starts_at: datetime
    ends_at: datetime


class SeriesOut(BaseModel):
    """What is known of a series from now on."""

    zone: str
    kind: Kind
    source: str = Field(description="Who told last")
    unit: str = Field(description="As it was told last")
    told_at: datetime
    valid_until: datetime | None
    known_until: datetime | None = Field(description="Until when there is no hole; null: nothing is known of now")
    last_until: datetime | None = Field(description="Until when something is known; null: nothing from now on")
    is_late: bool = Field(description="Nothing is known of now: it is planned as if it were not there")
    holes: list[HoleOut]

    @classmethod
    def of(cls, known: KnownSeries) -> "SeriesOut":
        """Return a series as a list shows it."""
        return cls.model_validate(_shown(known))


class SpanOut(BaseModel):
    """A value for a kilowatt hour (of demand: a share), and when it holds."""

    model_config = ConfigDict(from_attributes=True)

    starts_at: datetime
    ends_at: datetime
    per_kwh: float


class SeriesDetail(SeriesOut):
    """What is known of a series from now on, with its values."""

    values: list[SpanOut]

    @classmethod
    def of(cls, known: KnownSeries) -> "SeriesDetail":
        """Return a series with its values."""
        values = [SpanOut.model_validate(span) for span in known.spans]
        return cls.model_validate(_shown(known) | {"values": values})


def _shown(known: KnownSeries) -> dict[str, object]:
    newest = known.newest
    return {
        "zone": newest.zone,
        "kind": newest.kind,
        "source": newest.source,
        "unit": newest.unit,
        "told_at": newest.told_at,
        "valid_until": newest.valid_until,
        "known_until": known.known_until,
        "last_until": known.spans[-1].ends_at if known.spans else None,
        "is_late": known.known_until is None,
        "holes": [{"starts_at": starts_at, "ends_at": ends_at} for starts_at, ends_at in known.holes],
    }
