"""Owns the queries about what `station.events` was told of stations: their names, labels and time zones."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_events.public import STATION_DESCRIBED, StationDescribed, event
from chargebus_events.record import Record

from chargebus_device.names import SOURCE

NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When a station was described that was not yet."""

_FIELDS = "station_id, described_at, name, labels::text, time_zone"
# Of two of a station the later one counts, whatever the clocks of two copies say.
_TELL = f"""
UPDATE station SET described_at = GREATEST($2, described_at + interval '1 microsecond')
WHERE station_id = ANY($1) RETURNING {_FIELDS}
"""  # noqa: S608 - no input
_DUE = """
SELECT station_id FROM station WHERE described_at < $1 ORDER BY described_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
"""
_read_labels = msgspec.json.Decoder(dict[str, str]).decode


async def tell(connection: asyncpg.Connection, station_ids: Collection[str], now: datetime) -> list[Record]:
    """Note that the topic is told of stations, and return with what; nothing of those that are not registered."""
    rows = await connection.fetch(_TELL, list(station_ids), now) if station_ids else []
    return [
        described(
            StationDescribed(
                row["station_id"], row["described_at"], row["name"], _read_labels(row["labels"]), row["time_zone"]
            )
        )
        for row in rows
    ]


async def lock_due(connection: asyncpg.Connection, told_before: datetime, limit: int) -> list[str]:
    """Return, locked, up to `limit` stations that were told of last before some time, or never."""
    return [row["station_id"] for row in await connection.fetch(_DUE, told_before, limit)]


def described(body: StationDescribed) -> Record:
    """Return the event that describes a station, or tells that it is removed."""
    event_id = f"{body.station_id}/described/{int(body.at.timestamp() * 1_000_000)}"
    return event(STATION_DESCRIBED, event_id, SOURCE, body.at, body)
