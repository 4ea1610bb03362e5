"""Queries about boots: what deciding needs, stations that the policy lets in, the newest boot of each."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg
from chargebus_events.registry import RegisteredStation, Registration
from chargebus_runtime.rows import Rows

from chargebus_device.boots.domain import Boot, BootReport, LastBoot, Station
from chargebus_device.deviations.domain import Make
from chargebus_device.registration.domain import NewStation
from chargebus_device.registration.store import stations
from chargebus_device.tables import BootRow


class _KeptBoot(NamedTuple):
    """A boot and what the station was told."""

    report: BootReport
    told: Registration

    @property
    def booted_at(self) -> datetime:
        """When it reached us."""
        return self.report.received_at


_ROWS: Final = Rows(BootRow, sources={"report.boot": Boot, "report": BootReport})
_KEEP: Final = _ROWS.upsert()
_BOOT: Final = Boot.__struct_fields__
_LOAD: Final = f"""
SELECT s.station_id, s.registration, {", ".join(f"b.{name}" for name in _BOOT)}, b.epoch, b.told
FROM station s LEFT JOIN boot b USING (station_id) WHERE s.station_id = ANY($1)
"""  # noqa: S608 (names of columns)

_ONBOARDED_PROFILE: Final = 1
_NO_MAKE: Final = Make()


async def load(connection: asyncpg.Connection, station_ids: Collection[str]) -> dict[str, Station]:
    """Return the registered ones among stations, each with its newest boot."""
    rows = await connection.fetch(_LOAD, list(station_ids))
    return {row["station_id"]: _station(row) for row in rows}


async def create(
    connection: asyncpg.Connection, created: Sequence[Station], password_hash: str, now: datetime
) -> list[RegisteredStation]:
    """Register stations that came in by the onboarding policy; return those that nobody registered meanwhile."""
    if not created:
        return []
    return await stations.register(connection, [_new(station, password_hash) for station in created], now)


async def note_makes(
    connection: asyncpg.Connection, makes: Mapping[str, Make], now: datetime
) -> list[RegisteredStation]:
    """Note the makes of stations for their registry records; return the new records of those whose were others."""
    return await stations.set_makes(connection, makes, now) if makes else []


async def keep(connection: asyncpg.Connection, boots: Sequence[tuple[BootReport, Registration]]) -> None:
    """Keep the newest boot of each station, one per station, and what it was told."""
    if boots:
        await connection.execute(_KEEP, *_ROWS.arguments(_KeptBoot(*boot) for boot in boots))


def _new(station: Station, password_hash: str) -> NewStation:
    make = _NO_MAKE if station.last_boot is None else station.last_boot.boot.make
    return NewStation(
        station.station_id,
        station.registration,
        password_hash,
        _ONBOARDED_PROFILE,
        versions=(),
        name="",
        labels={},
        **make._asdict(),
    )


def _station(row: asyncpg.Record) -> Station:
    if row["told"] is None:
        return Station(row["station_id"], row["registration"])
    boot = Boot(**{name: row[name] for name in _BOOT})
    return Station(row["station_id"], row["registration"], LastBoot(boot, row["epoch"], row["told"]))
