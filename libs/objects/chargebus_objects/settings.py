"""Where objects are kept."""

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict


class ObjectsSettings(ServiceSettings):
    """Each is set by the environment variable `OBJECTS_<NAME>`; the same for all copies of a service."""

    model_config = SettingsConfigDict(env_prefix="OBJECTS_", extra="ignore", frozen=True, hide_input_in_errors=True)

    url: str = Field(
        default="/var/lib/chargebus/objects",
        description="where files are kept: a folder, or s3://bucket/prefix (?endpoint=https://…&region=… for other "
        "than Amazon's)",
    )
    access_key_id: SecretStr | None = Field(
        default=None, description="the key for s3://; without one as Amazon's tools find theirs"
    )
    secret_access_key: SecretStr | None = Field(default=None, description="the secret of that key")
