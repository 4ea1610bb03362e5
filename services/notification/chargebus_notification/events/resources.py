"""The JSON of events over HTTP."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class EventOut(BaseModel):
    """What all events have."""

    model_config = ConfigDict(from_attributes=True)

    event_id: str = Field(description="Names the event, for ever")
    station_id: str
    at: datetime = Field(description="When it was, as the station says; when it came, if its clock cannot be right")
    received_at: datetime = Field(description="When it came")
    tech_info: str = Field(description="What the station says besides")


class SecurityEventOut(EventOut):
    """Something about a station's security."""

    type: str = Field(description="A word of OCPP's list, or of the station's vendor")


class StationEventOut(EventOut):
    """What a monitor told, or the station by itself."""

    number: int = Field(description="The station's own number of it (`eventId`)")
    component: str
    component_instance: str
    variable: str
    variable_instance: str
    evse_id: int = Field(description="0: the station as a whole")
    connector_id: int = Field(description="0: the EVSE as a whole")
    value: str = Field(description="What the variable had; masked where it is secret")
    trigger: str = Field(description="Alerting, Delta or Periodic")
    kind: str = Field(description="HardWiredNotification, HardWiredMonitor, PreconfiguredMonitor or CustomMonitor")
    severity: int | None = Field(description="0 (danger) to 9 (debug); null where the station does not tell it")
    cleared: bool = Field(description="What an earlier event told is over")
    cause: int | None = Field(description="The `number` of the event that caused it")
    tech_code: str
    transaction_id: str
    variable_monitoring_id: int | None
