"""What an operator may change of the command service."""

from chargebus_events.commands import ANSWER_GRACE_S
from chargebus_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chargebus_command.domain.state import Rules

_ENVIRONMENT = SettingsConfigDict(env_prefix="COMMAND_", extra="ignore", frozen=True)


class GraceSettings(ServiceSettings):
    """How long what may still come is waited for.

    Attributes:
        absent_grace_s: how long a command of another service waits for a station that is unknown or away.
        edge_silence_s: an edge of which no heartbeat was heard for longer is taken for dead.
        answer_grace_s: how long after the answer was due the edge's own report is still waited for.
        lost_grace_s: the same after the connection was lost.
        void_s: how long a connection is left alone after its edge could not write a command there.
        http_wait_s: how long an HTTP call waits for an outcome before it is answered with 202.
    """

    model_config = _ENVIRONMENT

    absent_grace_s: float = Field(default=2.0, ge=0)
    edge_silence_s: float = Field(default=10.0, gt=0)
    answer_grace_s: float = Field(default=ANSWER_GRACE_S, ge=0)
    lost_grace_s: float = Field(default=2.0, ge=0)
    void_s: float = Field(default=10.0, gt=0)
    http_wait_s: float = Field(default=60.0, ge=0)


class BoundSettings(ServiceSettings):
    """What a command may ask for.

    Attributes:
        max_waiting: queued commands that a station may have.
        max_timeout_s: the longest `timeout_s` of a command.
        max_ttl_s: the longest `ttl_s` of a command.
    """

    model_config = _ENVIRONMENT

    max_waiting: int = Field(default=100, ge=1)
    max_timeout_s: float = Field(default=600.0, ge=1)
    max_ttl_s: float = Field(default=30 * 24 * 3600.0, ge=0)


class SecretSettings(ServiceSettings):
    """What is kept and shown masked.

    Attributes:
        secret_names: further settings of stations (keys of OCPP 1.6, variables of 2.x) whose values are secret, and
            DataTransfers whose data is, as `vendorId/messageId` (`vendorId/`: all of that vendor's); a JSON list.
    """

    model_config = _ENVIRONMENT

    secret_names: tuple[str, ...] = ()


class SweepSettings(ServiceSettings):
    """What time does.

    Attributes:
        sweep_every_s: how often deadlines and lives are looked at.
        sweep_stations: how many stations one transaction of the sweeper takes.
        census_every_s: how often open commands are counted for the metrics.
        keep_days: ended commands are deleted after that many days.
    """

    model_config = _ENVIRONMENT

    sweep_every_s: float = Field(default=1.0, gt=0)
    sweep_stations: int = Field(default=200, ge=1)
    census_every_s: float = Field(default=15.0, gt=0)
    keep_days: float = Field(default=90.0, gt=0)


class CommandSettings(ServiceSettings):
    """Each is set by the environment variable `COMMAND_<NAME>`, whatever its group; times are in seconds."""

    model_config = _ENVIRONMENT

    grace: GraceSettings = Field(default_factory=GraceSettings)
    bounds: BoundSettings = Field(default_factory=BoundSettings)
    secrets: SecretSettings = Field(default_factory=SecretSettings)
    sweep: SweepSettings = Field(default_factory=SweepSettings)

    def rules(self) -> Rules:
        """Return the rules of the queue."""
        return Rules(
            absent_grace_s=self.grace.absent_grace_s,
            answer_grace_s=self.grace.answer_grace_s,
            lost_grace_s=self.grace.lost_grace_s,
            avoid_s=self.grace.void_s,
            max_waiting=self.bounds.max_waiting,
            max_timeout_s=self.bounds.max_timeout_s,
            max_ttl_s=self.bounds.max_ttl_s,
        )
