"""What other services say of stations, as it stands on Kafka."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

import pytest
from chargebus_events.public import (
    SESSION_ENDED,
    SESSION_STARTED,
    STATION_BOOTED,
    STATION_CONNECTION,
    Session,
    StationBooted,
    StationConnection,
    event,
)
from chargebus_events.record import Record


@pytest.fixture
def station_id() -> str:
    return f"CS-{uuid4().hex[:8]}"


@pytest.fixture
def booted() -> Callable[..., Record]:
    """Return what makes the event of a boot with a version."""
    numbers = count(1)

    def make(station_id: str, version: str, ocpp_version: str = "1.6", at: datetime | None = None) -> Record:
        now = at or datetime.now(UTC)
        body = StationBooted(station_id, now, "accepted", ocpp_version, "Acme", "One", "1", version)
        return event(STATION_BOOTED, f"{station_id}/{next(numbers)}", "/device", now, body)

    return make


@pytest.fixture
def connected() -> Callable[..., Record]:
    """Return what makes the event of a connection."""

    def make(station_id: str, epoch: int, ocpp_version: str = "1.6", *, online: bool = True) -> Record:
        now = datetime.now(UTC)
        body = StationConnection(station_id, now, connected=online, epoch=epoch, version=ocpp_version)
        return event(STATION_CONNECTION, f"{station_id}/{epoch}/{online}", "/device", now, body)

    return make


@pytest.fixture
def session() -> Callable[..., Record]:
    """Return what makes the event of a session that began, or ended with some energy."""

    def make(station_id: str, *, ended: bool = False) -> Record:
        now = datetime.now(UTC)
        kind, state = (SESSION_ENDED, "ended") if ended else (SESSION_STARTED, "active")
        body = Session(
            f"{station_id}-1",
            station_id,
            "1",
            "1.6",
            state,
            now,
            1,
            1,
            started_at=now,
            ended_at=now if ended else None,
            energy_wh=12.0 if ended else None,
        )
        return event(kind, f"{station_id}/1/{state}", "/session", now, body)

    return make
