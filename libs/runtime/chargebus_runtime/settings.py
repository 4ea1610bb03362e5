"""Settings from the environment: those every process has, and the base of each service's own."""

from typing import Final

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chargebus_runtime.sealing import Sealing


class ServiceSettings(BaseSettings):
    """The base of a service's settings; a subclass sets `env_prefix`, such as `EDGE_`. Unknown names are ignored."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)


FEW_PARTITIONS: Final = 3
"""How many a topic has at most where one machine holds everything: a fetch names every partition, and each costs."""


class RuntimeSettings(ServiceSettings):
    """What every process needs: its Kafka, its PostgreSQL, its HTTP address, where telemetry goes.

    `database_url` names the server and a user who owns (or may create) the databases `chargebus_<service>`; its own
    database name is used only to create them. `kafka_partitions` caps the partitions of the topics that are created
    (0: as declared): every fetch names every partition, so a small site does better with few. A copy of a service that
    is silent for `kafka_session_timeout_s` loses its partitions to the others. `sealing_keys` are what secrets are
    sealed with between services (`chargebus_runtime.sealing`): the same for all that ask for such commands, and for
    `command`.
    """

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security_protocol: str = "PLAINTEXT"
    kafka_sasl_mechanism: str = "PLAIN"
    kafka_username: str = ""
    kafka_password: str = ""
    kafka_ca_file: str = ""
    kafka_replication_factor: int = 1
    kafka_partitions: int = Field(default=0, ge=0)
    kafka_session_timeout_s: float = Field(default=10.0, ge=1)

    database_url: str = "postgresql://postgres@127.0.0.1:5432/postgres"
    database_pool_size: int = 6

    http_host: str = "127.0.0.1"
    http_port: int = 8310

    batch_records: int = 2000
    log_level: str = "INFO"

    sealing_keys: SecretStr = SecretStr("")

    otel_exporter_otlp_endpoint: str = ""
    otel_traces_ratio: float = 0.01

    @field_validator("sealing_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr) -> SecretStr:
        Sealing.of(keys.get_secret_value())
        return keys

    def sealing(self) -> Sealing:
        """Return what secrets are sealed with."""
        return Sealing.of(self.sealing_keys.get_secret_value())
