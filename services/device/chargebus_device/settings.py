"""Owns the settings of the device service."""

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class DeviceSettings(ServiceSettings):
    """What an operator may change, each by the environment variable `DEVICE_<NAME>`.

    `heartbeat_interval_s` is what accepted stations are told, `boot_retry_s` what pending and rejected ones are. An
    edge that was silent for `edge_dead_after_s` is dead and so are its connections; that is looked at every
    `sweep_every_s`. Stations are counted for the metrics every `census_every_s`. One bulk call may register
    `bulk_stations`, of which `bulk_chosen_passwords` with a password of the operator's (50 ms of CPU each).
    """

    model_config = SettingsConfigDict(env_prefix="DEVICE_", extra="ignore", frozen=True)

    heartbeat_interval_s: int = Field(default=300, ge=1)
    boot_retry_s: int = Field(default=60, ge=1)
    edge_dead_after_s: float = Field(default=10.0, gt=0)
    sweep_every_s: float = Field(default=3.0, gt=0)
    census_every_s: float = Field(default=30.0, gt=0)
    bulk_stations: int = Field(default=5000, ge=1)
    bulk_chosen_passwords: int = Field(default=500, ge=0)
