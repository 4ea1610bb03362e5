"""Owns the settings of the device service."""

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict

_ENVIRONMENT = SettingsConfigDict(env_prefix="DEVICE_", extra="ignore", frozen=True)


class BootSettings(ServiceSettings):
    """What accepted stations are told (`heartbeat_interval_s`), and pending and rejected ones (`boot_retry_s`)."""

    model_config = _ENVIRONMENT

    heartbeat_interval_s: int = Field(default=300, ge=1)
    boot_retry_s: int = Field(default=60, ge=1)


class EdgeLifeSettings(ServiceSettings):
    """An edge silent for `edge_dead_after_s` is dead, and so are its connections; looked at every `sweep_every_s`."""

    model_config = _ENVIRONMENT

    edge_dead_after_s: float = Field(default=10.0, gt=0)
    sweep_every_s: float = Field(default=3.0, gt=0)


class BulkSettings(ServiceSettings):
    """One call may register `bulk_stations`, `bulk_chosen_passwords` of them with a password of the operator's.

    Each of those costs 50 ms of CPU.
    """

    model_config = _ENVIRONMENT

    bulk_stations: int = Field(default=5000, ge=1)
    bulk_chosen_passwords: int = Field(default=500, ge=0)


class VariableSettings(ServiceSettings):
    """All variables of a new station are read, and of one with other firmware, `variables_settle_s` after its boot.

    `variables_in_flight` stations are asked at a time; 0: none is without somebody wanting it. What stations were
    asked is kept for `variables_keep_days`.
    """

    model_config = _ENVIRONMENT

    variables_in_flight: int = Field(default=20, ge=0, le=1000)
    variables_settle_s: float = Field(default=30.0, ge=0)
    variables_keep_days: int = Field(default=7, ge=1)


class ConfigurationSettings(ServiceSettings):
    """How stations are brought to what configurations want: `configuration_at_once` each second, at most.

    `configuration_in_flight` of them are asked at the same time, each `configuration_settle_s` after its boot. After a
    change that can break connections a station is asked again `configuration_proof_s` later; within
    `configuration_lost_s` it has to be there.
    """

    model_config = _ENVIRONMENT

    configuration_at_once: int = Field(default=20, ge=1, le=1000)
    configuration_in_flight: int = Field(default=50, ge=1, le=10_000)
    configuration_settle_s: float = Field(default=15.0, ge=0)
    configuration_proof_s: float = Field(default=60.0, ge=0)
    configuration_lost_s: float = Field(default=900.0, gt=0)


class DeviceSettings(ServiceSettings):
    """What an operator may change, each by the environment variable `DEVICE_<NAME>`, whatever its group.

    Stations are counted for the metrics every `census_every_s`. A deviation that a station does not have any more is
    kept for `keep_deviations_days`.
    """

    model_config = _ENVIRONMENT

    census_every_s: float = Field(default=30.0, gt=0)
    keep_deviations_days: int = Field(default=90, ge=1)
    boots: BootSettings = Field(default_factory=BootSettings)
    edges: EdgeLifeSettings = Field(default_factory=EdgeLifeSettings)
    variables: VariableSettings = Field(default_factory=VariableSettings)
    configurations: ConfigurationSettings = Field(default_factory=ConfigurationSettings)
    bulk: BulkSettings = Field(default_factory=BulkSettings)
