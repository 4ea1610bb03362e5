"""The JSON of the HTTP API."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class KnownStation(BaseModel):
    """What rules see of a station."""

    model_config = ConfigDict(from_attributes=True)

    station_id: str
    name: str
    labels: dict[str, str]
    time_zone: str
    vendor: str
    model: str
    firmware_version: str
    version: str = Field(description="OCPP version")
    connected: bool | None = Field(description="null: it never was")
    offline_since: datetime | None
    booted_at: datetime | None
    faulted: bool
    charging: bool
    last_session_at: datetime | None
    removed: bool


class KnownStationDetail(KnownStation):
    """The same, with all facts."""

    facts: dict[str, Any] = Field(description="all that is kept of it; may change with any release")
