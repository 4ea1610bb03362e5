"""Owns what is the same in every version: whole numbers, times and energy, and what tells contents apart."""

import hashlib
from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Final

import msgspec
from chargebus_ocppj.payloads import clean
from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_session.transactions.domain.events import TIMESTAMP_UNREADABLE, clock_flags

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


def moment(value: str, received_at: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Return a station's time and what is wrong with it; one that cannot be read is when we received it."""
    try:
        at = parse_timestamp(value)
    except ValueError:
        return received_at, (TIMESTAMP_UNREADABLE,)
    return at, clock_flags(at, received_at)


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
