"""Owns what it takes to register a station."""

import msgspec
from chargebus_events.registry import Registration


class NewStation(msgspec.Struct, frozen=True):
    """A station as an operator registers it, or as its first boot does; `versions` empty means any."""

    station_id: str
    registration: Registration
    password_hash: str
    security_profile: int
    versions: tuple[str, ...]
    name: str
    labels: dict[str, str]
    strict: bool = False
    vendor: str = ""
    model: str = ""
    firmware_version: str = ""


class Change(msgspec.Struct, frozen=True):
    """What an operator changes of a station; None leaves a field as it is."""

    registration: Registration | None = None
    versions: tuple[str, ...] | None = None
    name: str | None = None
    labels: dict[str, str] | None = None
    strict: bool | None = None
