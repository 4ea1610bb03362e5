"""Configurations: which variables which stations are to have, and which of them counts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from chargebus_device.variables.domain.addresses import Address
from chargebus_device.variables.domain.names import breaks_connections, named

State = Literal["active", "held"]


class Selector(msgspec.Struct, frozen=True):
    """Which stations are meant: those of which all of it is true; if all of it is empty, every station."""

    station_ids: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    vendor: str = ""
    model: str = ""
    firmware_version: str = ""

    def fits(self, station: "Station") -> bool:
        """Tell whether a station is meant."""
        return (
            (not self.station_ids or station.station_id in self.station_ids)
            and all(station.labels.get(name) == value for name, value in self.labels.items())
            and all(
                not wanted or wanted == has
                for wanted, has in (
                    (self.vendor, station.vendor),
                    (self.model, station.model),
                    (self.firmware_version, station.firmware_version),
                )
            )
        )

    @property
    def narrowness(self) -> tuple[bool, int]:
        """What is greater the fewer stations are meant: named ones, then those of more conditions."""
        texts = self.vendor, self.model, self.firmware_version
        return bool(self.station_ids), len(self.labels) + sum(map(bool, texts))


class Station(msgspec.Struct, frozen=True):
    """A station as far as configurations choose by it; `version` of OCPP, empty: none is known yet."""

    station_id: str
    vendor: str = ""
    model: str = ""
    firmware_version: str = ""
    labels: dict[str, str] = {}
    version: str = ""


class Setting(msgspec.Struct, frozen=True):
    """A variable and what it is to be."""

    address: Address
    value: str

    @property
    def breaks_connections(self) -> bool:
        """Whether a wrong value can keep a station from coming back."""
        row = named(self.address.name) if self.address.name else None
        return breaks_connections(row.place if row else self.address.place)


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What some stations are to be set to.

    Of the configurations that mean a station and name a variable one counts: that of the highest priority, then the
    narrowest, then the oldest.

    Attributes:
        first: how many stations get a change that can break connections before the others.
        revision: rises with each change; trial: the one that changed last what can break connections.
        state: `held` after a station did not come back from such a change: no other gets one.
        released_at: when an operator last had it go on all the same.
    """

    configuration_id: UUID
    name: str
    stations: Selector = Selector()
    priority: int = 0
    settings: tuple[Setting, ...] = ()
    first: int = 3
    revision: int = 1
    trial: int = 1
    state: State = "active"
    released_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


def replaced(known: Configuration, given: Configuration, now: datetime) -> Configuration:
    """Return what becomes of a configuration when it is replaced.

    One that is held stays so, and what the first stations have proved counts, unless what can break connections is
    another now.
    """
    revision = known.revision + 1
    made = msgspec.structs.replace(
        given,
        configuration_id=known.configuration_id,
        revision=revision,
        trial=revision,
        created_at=known.created_at,
        updated_at=now,
    )
    if _breaking(known) != _breaking(given):
        return made
    return msgspec.structs.replace(made, trial=known.trial, state=known.state, released_at=known.released_at)


def _breaking(configuration: Configuration) -> set[tuple[str, str]]:
    return {(each.address.key, each.value) for each in configuration.settings if each.breaks_connections}


class Wanted(msgspec.Struct, frozen=True):
    """What counts for a variable of a station, and which configuration says so."""

    setting: Setting
    configuration: Configuration


def wanted(configurations: Iterable[Configuration], station: Station) -> Mapping[str, Wanted]:
    """Return what counts for a station, by what is the same for all addresses of a variable."""
    found: dict[str, Wanted] = {}
    for configuration in sorted(configurations, key=_rank):
        if configuration.stations.fits(station):
            for setting in configuration.settings:
                found[setting.address.key] = Wanted(setting, configuration)
    return found


def _rank(configuration: Configuration) -> tuple[int, tuple[bool, int], float, str]:
    """Return what is greatest of the one that counts."""
    age = -configuration.created_at.timestamp()
    return configuration.priority, configuration.stations.narrowness, age, str(configuration.configuration_id)
