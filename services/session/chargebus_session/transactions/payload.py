"""Owns what is the same in every version: whole numbers, times and energy, and what tells contents apart."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Final, Protocol, TypeVar

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.deviations import decode_deviations
from chargebus_ocppj.payloads import clean
from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_session.transactions.domain.events import PAYER_UNREADABLE, TIMESTAMP_UNREADABLE, Sample, clock_flags

_DIGEST_BYTES: Final = 12

IMPORT_REGISTER: Final = "Energy.Active.Import.Register"
IMPORT_INTERVAL: Final = "Energy.Active.Import.Interval"
ENERGY: Final = frozenset({IMPORT_REGISTER, IMPORT_INTERVAL})
WATT_HOUR: Final = "Wh"

_WATT_HOURS: Final = {"MWh": 1e6, "mWh": 1e-3}  # case tells mega from milli
_WATT_HOURS_IN_ANY_CASE: Final = {"wh": 1.0, "kwh": 1e3}
_MULTIPLIER_LIMIT: Final = 12

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer that PostgreSQL can hold."""


class SampledValue(Protocol):
    """What every version says of a value."""

    @property
    def measurand(self) -> str:
        """What was measured."""
        ...

    @property
    def context(self) -> str:
        """On which occasion."""
        ...

    @property
    def location(self) -> str:
        """Where."""
        ...

    @property
    def phase(self) -> str:
        """On which phase, empty for all."""
        ...


V = TypeVar("V", bound=SampledValue)
V_co = TypeVar("V_co", bound=SampledValue, covariant=True)


class MeterValue(Protocol[V_co]):
    """Values of one moment."""

    @property
    def timestamp(self) -> str:
        """The station's time."""
        ...

    @property
    def sampled_value(self) -> Iterable[V_co]:
        """The values."""
        ...


def moment(value: str, received_at: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Return a station's time and what is wrong with it; one that cannot be read is when we received it."""
    try:
        at = parse_timestamp(value)
    except ValueError:
        return received_at, (TIMESTAMP_UNREADABLE,)
    return at, clock_flags(at, received_at)


def moment_with_text(value: str, received_at: datetime) -> tuple[datetime, tuple[str, ...], str]:
    """Return what `moment` and `moment_text` do, reading the time once."""
    try:
        at = parse_timestamp(value)
    except ValueError:
        return received_at, (TIMESTAMP_UNREADABLE,), clean(value)
    return at, clock_flags(at, received_at), at.isoformat()


def unreadable_token(frame: Frame, member: str) -> tuple[str, ...]:
    """Return the mark of a message whose token was left out, as nobody can read it."""
    if not frame.deviations:
        return ()
    lost = any(each.kind == "unreadable" and each.path == member for each in decode_deviations(frame.deviations))
    return (PAYER_UNREADABLE,) if lost else ()


def moment_text(value: str) -> str:
    """Return a timestamp for comparing: the same for the same moment however it is written."""
    try:
        return parse_timestamp(value).isoformat()
    except ValueError:
        return clean(value)


def fingerprint(content: object) -> str:
    """Return what stands for a content: of JSON's types, whatever the order of its members."""
    encoded = msgspec.json.encode(content, order="sorted")
    return hashlib.blake2b(encoded, digest_size=_DIGEST_BYTES).hexdigest()


def members(payload: bytes) -> dict[str, Any]:
    """Return the members of a payload that was read before."""
    found: dict[str, Any] = msgspec.json.decode(payload)
    return found


def may_hold_energy(payload: bytes) -> bool:
    """Tell at a glance whether there may be imported energy in meter values: named, or left out as the default."""
    return b"Energy.Active.Import." in payload or payload.count(b'"measurand"') < payload.count(b'"value"')


def watt_hours(value: float, unit: str, multiplier: int = 0) -> float | None:
    """Return energy in Wh, None in a unit that is none of energy.

    Spec: OCPP 1.6 UnitOfMeasure; OCPP 2.0.1 UnitOfMeasureType (Wh where none is named; times ten to the multiplier)
    """
    spelling = clean(unit) or WATT_HOUR
    factor = _WATT_HOURS.get(spelling) or _WATT_HOURS_IN_ANY_CASE.get(spelling.casefold())
    if factor is None or abs(multiplier) > _MULTIPLIER_LIMIT or not isfinite(value):
        return None
    return round(value * factor * 10.0**multiplier, 3)


def energy_samples(
    meter_values: Iterable[MeterValue[V]], received_at: datetime, energy: Callable[[V], float | None]
) -> tuple[Sample, ...]:
    """Return the values of imported energy; `energy` reads one of a version in Wh, None where it is none.

    Spec: OCPP 1.6 SampledValue (no measurand is Energy.Active.Import.Register); OCPP 2.0.1 J02
    """
    samples: list[Sample] = []
    for meter_value in meter_values:
        at, _flags = moment(meter_value.timestamp, received_at)
        for value in meter_value.sampled_value:
            wh = energy(value)
            if wh is not None:
                of_interval = value.measurand == IMPORT_INTERVAL
                place = clean(value.location), len(samples), clean(value.phase)
                samples.append(Sample(at, wh, value.context, *place, of_interval))
    return tuple(samples)
