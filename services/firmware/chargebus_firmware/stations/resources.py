"""The JSON of the HTTP API."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from chargebus_firmware.stations.domain import Station


class StationOut(BaseModel):
    """A station, as far as its firmware is concerned."""

    station_id: str
    name: str
    vendor: str
    model: str
    serial_number: str
    firmware_version: str = Field(description="With which it booted last; empty: it did not say")
    ocpp_version: str
    labels: dict[str, str]
    time_zone: str = Field(description="IANA name; empty: UTC")
    online: bool
    faulted: bool = Field(description="Whether a connector, an EVSE or all of it is")
    busy: bool = Field(description="Whether a session is open there")
    booted_at: datetime | None
    last_ended_at: datetime | None = Field(description="When a session ended last in which energy flowed")
    file_transfer_protocols: list[str] | None = Field(
        description="Over what it transfers files, as it says; empty: it does not say, null: it did not answer yet"
    )
    open_update: UUID | None = Field(description="Its update that is under way: /v1/firmware/updates/…")

    @classmethod
    def of(cls, station: Station, open_update: UUID | None) -> "StationOut":
        """Return a station as callers see it."""
        make, described = station.make, station.described
        return cls(
            station_id=station.station_id,
            name=described.name,
            vendor=make.vendor,
            model=make.model,
            serial_number=make.serial_number,
            firmware_version=make.firmware_version,
            ocpp_version=station.ocpp_version,
            labels=described.labels,
            time_zone=described.time_zone,
            online=station.online,
            faulted=station.faulted,
            busy=station.open_sessions > 0,
            booted_at=station.booted_at,
            last_ended_at=station.last_ended_at,
            file_transfer_protocols=None if station.protocols is None else list(station.protocols),
            open_update=open_update,
        )
