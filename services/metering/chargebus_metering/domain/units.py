"""Units of measure: which base unit a spelling belongs to, and a value's number in it.

Spec: OCPP 1.6 UnitOfMeasure; OCPP 2.0.1 part 2 appendix 2, Standardized Units of Measure
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

Conversion = Callable[[Decimal], Decimal]

MAX_EXPONENT = 60  # of a station's multiplier; beyond it no unit makes sense and arithmetic would only get slow

# `float` would take `nan`, `inf` and `1_000` too.
_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that a station may write: its base unit, the power of ten between them, or else a conversion."""

    base: str
    exponent: int = 0
    convert: Conversion | None = None


def _fahrenheit(value: Decimal) -> Decimal:
    return (value - 32) / Decimal("1.8")


def _kelvin(value: Decimal) -> Decimal:
    return value - Decimal("273.15")


_SPELLINGS = {
    **{f"{prefix}{base}": Unit(base, exponent)
       for base in ("Wh", "varh", "VAh", "W", "var", "VA", "A", "V", "Hz")
       for prefix, exponent in (("", 0), ("k", 3))},
    **{f"{prefix}{base}": Unit(base, exponent)
       for base in ("Wh", "W", "V", "A")
       for prefix, exponent in (("M", 6), ("m", -3))},
    "Hertz": Unit("Hz"),
    "Percent": Unit("percent"),
    "%": Unit("percent"),
    "Celsius": Unit("celsius"),
    "Celcius": Unit("celsius"),  # so spelt in the schema of OCPP 1.6
    "Fahrenheit": Unit("celsius", convert=_fahrenheit),
    "K": Unit("celsius", convert=_kelvin),
    "RPM": Unit("rpm"),
    "s": Unit("s"),
}  # fmt: skip

# Case tells mega from milli, so only spellings that mean one thing in any case are taken in any case.
_FOLDED = {
    spelling.casefold(): unit
    for spelling, unit in _SPELLINGS.items()
    if sum(spelling.casefold() == other.casefold() for other in _SPELLINGS) == 1
}

# The longest prefix of the measurand decides.
_NATURAL = {
    "Energy.Active": "Wh",
    "Energy.Reactive": "varh",
    "Energy.Apparent": "VAh",
    "EnergyRequest": "Wh",
    "Power": "W",
    "Power.Reactive": "var",
    "Power.Factor": "",
    "Current": "A",
    "Voltage": "V",
    "Frequency": "Hz",
    "Temperature": "celsius",
    "SoC": "percent",
    "RPM": "rpm",
    "Display.PresentSOC": "percent",
    "Display.MinimumSOC": "percent",
    "Display.TargetSOC": "percent",
    "Display.MaximumSOC": "percent",
    "Display.RemainingTime": "s",
    "Display.BatteryEnergyCapacity": "Wh",
}


def unit_of(spelling: str, measurand: str) -> Unit:
    """Return the unit that a station means.

    Args:
        spelling: as written; empty for none, which stands for the measurand's natural unit.
        measurand: as OCPP names it.

    A spelling that is unknown (OCPP 2.x allows custom units) is its own base unit.

    Spec: OCPP 2.0.1 UnitOfMeasureType.unit: `Wh` is the default for energy. Here reactive and apparent energy
    default to varh and VAh, and other measurands to their natural unit: the specification gives them none.
    """
    if spelling:
        return _SPELLINGS.get(spelling) or _FOLDED.get(spelling.casefold()) or Unit(spelling)
    return _natural(measurand)


def to_base(number: str, unit: Unit, multiplier: int = 0) -> float | None:
    """Return a written number times ten to the `multiplier` in the unit's base unit; None if it is no finite number.

    Powers of ten are applied in decimal, so that 1.005 kWh is 1005 Wh and not a hair less.
    """
    if not _NUMBER.fullmatch(number):
        return None
    exponent = unit.exponent + multiplier
    if exponent == 0 and unit.convert is None:
        return _finite(float(number))
    if abs(exponent) > MAX_EXPONENT:
        return None
    try:
        scaled = Decimal(number.strip()).scaleb(exponent)
        return _finite(float(scaled if unit.convert is None else unit.convert(scaled)))
    except ArithmeticError:  # an exponent beyond what decimals can hold
        return None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@lru_cache(maxsize=256)
def _natural(measurand: str) -> Unit:
    matching = [prefix for prefix in _NATURAL if measurand.startswith(prefix)]
    return Unit(_NATURAL[max(matching, key=len)] if matching else "")
