"""The JSON of the HTTP API."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class MeterValue(BaseModel):
    """A reading: `value` in the base unit `unit`, and as the station wrote it; `phase` is empty for all phases.

    `quality` is empty, or `time_of_arrival`: the station told no time that can be read.
    """

    model_config = ConfigDict(from_attributes=True)

    reading_id: UUID
    station_id: str
    evse_id: int
    connector_id: int
    transaction_id: str
    sampled_at: datetime
    received_at: datetime
    measurand: str
    phase: str
    location: str
    context: str
    value: float
    unit: str
    original_value: str
    original_unit: str
    multiplier: int
    quality: str
