"""What a vehicle says that it needs."""

from datetime import datetime

import msgspec


class ChargingNeeds(msgspec.Struct, frozen=True):
    """What a vehicle told its station that it needs, by ISO 15118."""

    station_id: str
    evse_id: int
    departs_at: datetime | None = None
    energy_wh: float | None = None
