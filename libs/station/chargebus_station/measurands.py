"""What a meter shows at one moment, and the measurands that can be told of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self

from chargebus_station.charging import DC_V, NOMINAL_V
from chargebus_station.config import EnergyUnit

ENERGY: Final = "Energy.Active.Import.Register"


@dataclass(frozen=True)
class Sample:
    """One look at the meter; `energy_wh` is the register, which only ever rises; `used` phases carry the power."""

    at: datetime
    energy_wh: int
    power_w: float = 0.0
    phases: int = 3
    used: int = 0
    soc_percent: float | None = None


@dataclass(frozen=True)
class Value:
    """One sampled value in base units."""

    measurand: str
    value: float
    unit: str
    phase: str | None = None

    def in_unit(self, energy_unit: EnergyUnit) -> Self:
        """Return the value as a station writes it that tells energy in this unit."""
        if self.unit == "Wh" and energy_unit is EnergyUnit.KWH:
            return replace(self, value=round(self.value / 1000, 3), unit="kWh")
        return self


def values(shown: Sample, wanted: Iterable[str]) -> Iterator[Value]:
    """Yield the wanted measurands that this meter has; unknown ones are skipped."""
    for measurand in wanted:
        if (tell := _MEASURANDS.get(measurand)) is not None:
            yield from tell(shown)


def _energy(shown: Sample) -> Iterator[Value]:
    yield Value(ENERGY, shown.energy_wh, "Wh")


def _power(shown: Sample) -> Iterator[Value]:
    yield Value("Power.Active.Import", shown.power_w, "W")


def _current(shown: Sample) -> Iterator[Value]:
    if not shown.phases:
        yield Value("Current.Import", round(shown.power_w / DC_V, 2), "A")
    for number in range(1, shown.phases + 1):
        amperes = shown.power_w / shown.used / NOMINAL_V if number <= shown.used else 0.0
        yield Value("Current.Import", round(amperes, 2), "A", f"L{number}")


def _voltage(shown: Sample) -> Iterator[Value]:
    if not shown.phases:
        yield Value("Voltage", DC_V, "V")
    for number in range(1, shown.phases + 1):
        yield Value("Voltage", NOMINAL_V, "V", f"L{number}-N")


def _soc(shown: Sample) -> Iterator[Value]:
    if shown.soc_percent is not None:
        yield Value("SoC", shown.soc_percent, "Percent")


_MEASURANDS: Final[Mapping[str, Callable[[Sample], Iterator[Value]]]] = {
    ENERGY: _energy,
    "Power.Active.Import": _power,
    "Current.Import": _current,
    "Voltage": _voltage,
    "SoC": _soc,
}
