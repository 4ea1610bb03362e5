"""The JSON of the HTTP API."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class HeardStation(BaseModel):
    """A station that was heard."""

    model_config = ConfigDict(from_attributes=True)

    station_id: str
    heard_at: datetime = Field(description="When it was heard last")
    times: int = Field(description="How often it was heard")
