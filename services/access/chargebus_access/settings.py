"""What an operator may change of the access service."""

from pathlib import Path

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class AccessSettings(ServiceSettings):
    """Each is set by the environment variable `ACCESS_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="ACCESS_", extra="ignore", frozen=True)

    admin_key_file: Path | None = Field(
        default=None,
        description="the first admin key: made there if the file is missing (readable by its owner only), "
        "let in if it is there",
    )
    compare_every_s: float = Field(
        default=10.0, gt=0, description="how often `access.keys` is compared with the database"
    )
