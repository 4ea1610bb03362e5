"""The JSON of the HTTP API."""

from datetime import datetime

from pydantic import BaseModel, Field

from chargebus_security.stations.domain import Station


class StationOut(BaseModel):
    """A station, as far as its certificates are concerned."""

    station_id: str
    name: str
    vendor: str
    model: str
    serial_number: str
    firmware_version: str = Field(description="With which it booted last; empty: it did not say")
    ocpp_version: str
    labels: dict[str, str]
    online: bool
    booted_at: datetime | None

    @classmethod
    def of(cls, station: Station) -> "StationOut":
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
            online=station.online,
            booted_at=station.booted_at,
        )
