"""The demo's depot: a site whose grid connection is smaller than what its vehicles would draw, described over HTTP."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chargebus_station.charging_habits import ChargingHabit
from chargebus_station.config import AC_11, AC_22
from chargebus_station.fleet import Kind, Life

SITE_ID: Final = "depot"
LABELS: Final = {"site": SITE_ID}
MOST: Final = 6
"""How many stations it has places for."""

_EVERY_S: Final = "10"
_V16: Final = {
    "MeterValueSampleInterval": _EVERY_S,
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage",
}
_V2: Final = {
    "SampledDataCtrlr.TxUpdatedInterval": _EVERY_S,
    "SampledDataCtrlr.TxUpdatedMeasurands": "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage",
}

KINDS: Final[Sequence[Kind]] = (
    Kind("1.6", "Duo 22", (AC_22, AC_22), _V16),
    Kind("2.0.1", "Duo 22", (AC_22, AC_22), _V2),
    Kind("2.1", "Duo 22", (AC_22, AC_22), _V2),
    Kind("1.6", "Wall 11", (AC_11,), _V16, charging_habits=frozenset({ChargingHabit.REFUSES_AMPERES})),
    Kind("2.0.1", "Wall 11", (AC_11,), _V2),
    Kind("1.6", "Wall 11 S", (AC_11,), _V16, charging_habits=frozenset({ChargingHabit.IGNORES_LIMITS})),
)
"""The last one accepts what it is told and gives what its vehicle asks for: it is seen, counted with, and told of."""

# Duo 22: 32 A on three phases; Wall 11: 16 A. Phases are rotated, as they should be.
_ROTATED: Final = ([1, 2, 3], [2, 3, 1], [3, 1, 2])
_PANELS: Final = ("hall", "hall", "yard", "yard", "yard", "hall")
_GRID_A: Final = 63.0


def station_ids(size: int) -> list[str]:
    """Return the identities of the depot's stations."""
    return [f"DEPOT-{number}" for number in range(1, min(size, MOST) + 1)]


def life() -> Life:
    """Return how its fleet lives: as we do, but for the ten minutes in which its first drivers come."""
    return Life(60.0, datetime.now(UTC) - timedelta(minutes=10), at_once=1.0, first_within_s=120.0, mishaps=False)


def site(stations: Sequence[str]) -> dict[str, Any]:
    """Return the depot as an operator describes it."""
    evses = [
        {
            "station_id": station_id,
            "evse_id": evse_id,
            "node_id": panel,
            "phases": _ROTATED[(place + evse_id) % len(_ROTATED)],
            "min_a": 6.0,
            "max_a": round(outlet.amperes(outlet.max_power_w)),
            "voltage_v": 230.0,
        }
        for place, (station_id, kind, panel) in enumerate(zip(stations, KINDS, _PANELS, strict=False))
        for evse_id, outlet in enumerate(kind.outlets, start=1)
    ]
    nodes = [
        {"node_id": "grid", "name": "grid connection", "capacity": {"phase_a": _GRID_A}, "margin": 0.05},
        {"node_id": "hall", "name": "panel in the hall", "parent_id": "grid", "capacity": {"phase_a": 50.0}},
        {"node_id": "yard", "name": "panel in the yard", "parent_id": "grid", "capacity": {"phase_a": 50.0}},
    ]
    policy = {"interval_s": 15.0, "grace_s": 30.0, "spacing_s": 5.0, "profile_life_s": 600.0}
    return {"name": "Demo depot", "nodes": nodes, "evses": evses, "policy": policy}
