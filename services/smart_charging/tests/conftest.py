"""Messages of stations, as the edge puts them on Kafka."""

from collections.abc import Callable
from datetime import datetime

import pytest
from chargebus_events.frames import Frame
from chargebus_events.record import Record
from chargebus_events.topics import frames_topic


@pytest.fixture
def message() -> Callable[[str, int, datetime], Record]:
    """Return what makes a call of a station, with a number of its own."""

    def make(station_id: str, number: int, at: datetime) -> Record:
        frame = Frame(station_id, "2.0.1", "ClearedChargingLimit", f"m{number}", 0, 7, number, b"{}", at)
        return frame.record(frames_topic("smart_charging"))

    return make
