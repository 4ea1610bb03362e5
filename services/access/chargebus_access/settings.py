"""Owns the settings of the access service."""

from pathlib import Path

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class AccessSettings(ServiceSettings):
    """What an operator may change, each by the environment variable `ACCESS_<NAME>`.

    `admin_key_file` holds the first admin key: it is made there if the file is missing, and let in if it is there.
    The topic of keys is compared with the database every `compare_every_s`.
    """

    model_config = SettingsConfigDict(env_prefix="ACCESS_", extra="ignore", frozen=True)

    admin_key_file: Path | None = None
    compare_every_s: float = Field(default=60.0, gt=0)
