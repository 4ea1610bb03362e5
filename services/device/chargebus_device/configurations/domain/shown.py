"""How configurations go, and what they would do."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from chargebus_device.configurations.domain.compared import Entry
from chargebus_device.configurations.domain.configuration import Configuration


class Sum(msgspec.Struct, frozen=True):
    """How a configuration goes: its stations, those of which something is not as wanted, variables by verdict."""

    stations: int = 0
    drifted: int = 0
    verdicts: dict[str, int] = {}


class Shown(msgspec.Struct, frozen=True):
    """A configuration, and how it goes."""

    configuration: Configuration
    sum: Sum


class StationRun(msgspec.Struct, frozen=True):
    """What a configuration would do with a station; `overruled`: variables for which another one counts, and which."""

    station_id: str
    entries: Sequence[Entry]
    overruled: Mapping[str, UUID]


class DryRun(msgspec.Struct, frozen=True):
    """What a configuration would do with some of the stations that it means."""

    stations: int
    found: Sequence[StationRun]
