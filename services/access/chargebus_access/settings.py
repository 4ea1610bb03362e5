"""What an operator may change of the access service."""

from pathlib import Path

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class AccessSettings(ServiceSettings):
    """Each is set by the environment variable `ACCESS_<NAME>`.

    Attributes:
        admin_key_file: holds an administrator's key. If it does not exist, a key is made and written there, for its
            owner to read only; its key is put into the database if it is missing there. Not set: nothing of this.
        compare_every_s: how often the topic of keys is compared with the database.
    """

    model_config = SettingsConfigDict(env_prefix="ACCESS_", extra="ignore", frozen=True)

    admin_key_file: Path | None = None
    compare_every_s: float = Field(default=10.0, gt=0)
