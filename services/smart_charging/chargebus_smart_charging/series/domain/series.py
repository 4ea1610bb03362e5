"""Series of the grid over time: prices, CO2, demand; as they are told, and as they are known by all that was told."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from chargebus_smart_charging.sites.errors import Objection

Kind: TypeAlias = Literal["price", "co2", "demand"]

KINDS: Final[tuple[Kind, ...]] = ("co2", "demand", "price")
MOST_VALUES: Final = 3000
"""In one message: a month of quarter hours."""

_LONGEST: Final = timedelta(days=400)
_PER_MWH: Final = "/MWh"
_CO2_UNITS: Final = {"g/kWh", "kg/MWh"}
_DEMAND_UNIT: Final = "share"
_CURRENCY_LETTERS: Final = 3


class SeriesKey(msgspec.Struct, frozen=True):
    """Which series."""

    zone: str
    kind: Kind


class GridValue(msgspec.Struct, frozen=True):
    """What somebody said of a time."""

    zone: str
    kind: Kind
    starts_at: datetime
    resolution_s: int
    value: float
    source: str
    unit: str
    told_at: datetime
    valid_until: datetime | None = None

    @property
    def ends_at(self) -> datetime:
        """Until when it holds."""
        return self.starts_at + timedelta(seconds=self.resolution_s)

    @property
    def per_kwh(self) -> float:
        """The value for a kilowatt hour: money, grams, or of demand the share as it is."""
        return self.value / 1000 if self.kind == "price" and self.unit.endswith(_PER_MWH) else self.value


class Series(msgspec.Struct, frozen=True):
    """Values that follow each other from `starts_at`; None is a hole."""

    zone: str
    kind: Kind
    source: str
    unit: str
    told_at: datetime
    starts_at: datetime
    resolution_s: int
    values: tuple[float | None, ...]
    valid_until: datetime | None = None

    @property
    def ends_at(self) -> datetime:
        """When the last value ends."""
        return self.starts_at + timedelta(seconds=self.resolution_s * len(self.values))

    def told(self) -> Iterator[GridValue]:
        """Yield what it says of each time, nothing of its holes."""
        for number, value in enumerate(self.values):
            if value is not None:
                starts_at = self.starts_at + timedelta(seconds=self.resolution_s * number)
                yield GridValue(
                    self.zone,
                    self.kind,
                    starts_at,
                    self.resolution_s,
                    value,
                    self.source,
                    self.unit,
                    self.told_at,
                    self.valid_until,
                )


def objections(series: Series, now: datetime) -> list[Objection]:
    """Return why a series is refused."""
    return [*_form(series), *_unit(series), *_past(series, now)]


def _form(series: Series) -> Iterator[Objection]:
    if not series.zone:
        yield Objection("zone", "of which zone?")
    if series.resolution_s <= 0:
        yield Objection("resolution_s", "a value holds for some seconds")
    if not 0 < len(series.values) <= MOST_VALUES:
        yield Objection("values", f"from 1 to {MOST_VALUES} values, not {len(series.values)}")
    if timedelta(seconds=max(series.resolution_s, 0)) * len(series.values) > _LONGEST:
        yield Objection("values", f"they reach further than {_LONGEST.days} days")
    if all(value is None for value in series.values):
        yield Objection("values", "all of it is a hole")
    if any(value is not None and not math.isfinite(value) for value in series.values):
        yield Objection("values", "they are numbers")


def _unit(series: Series) -> Iterator[Objection]:
    unit, kind = series.unit, series.kind
    if kind == "price":
        currency, _, per = unit.partition("/")
        known = per in {"kWh", "MWh"} and len(currency) == _CURRENCY_LETTERS and currency.isupper()
        if not known:
            yield Objection("unit", f"a price is told in a currency for kWh or MWh, such as EUR/kWh, not in {unit}")
    elif kind == "co2":
        if unit not in _CO2_UNITS:
            yield Objection("unit", f"CO2 is told in g/kWh or kg/MWh, not in {unit}")
        if any(value is not None and value < 0 for value in series.values):
            yield Objection("values", "there is no less CO2 than none")
    else:
        if unit != _DEMAND_UNIT:
            yield Objection("unit", f"demand is told as a share of what the grid can carry, not in {unit}")
        if any(value is not None and not 0 <= value <= 1 for value in series.values):
            yield Objection("values", "a share is from 0 to 1")


def _past(series: Series, now: datetime) -> Iterator[Objection]:
    try:
        ends_at = series.ends_at
    except OverflowError:
        yield Objection("values", "they reach beyond the year 9999")
        return
    if ends_at <= now:
        what = f"it ended at {ends_at.isoformat()}: all of it lies in the past, as here it is {now.isoformat()}"
        yield Objection("starts_at", what)
    if series.valid_until is not None and series.valid_until <= now:
        yield Objection("valid_until", f"it is not valid any more: here it is {now.isoformat()}")
