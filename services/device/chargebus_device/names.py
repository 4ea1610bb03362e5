"""Owns the names under which this service speaks: its CloudEvents source, and the ids of its events."""

from typing import Final

from chargebus_events.public import StationConnection

SERVICE: Final = "device"
SOURCE: Final = f"/{SERVICE}"


def connection_event_id(body: StationConnection) -> str:
    """Return the id of a connection's event: the same whenever the same fact goes out again."""
    what = "connected" if body.connected else "disconnected"
    return f"{body.station_id}/{body.epoch}/{what}/{int(body.at.timestamp() * 1000)}"
