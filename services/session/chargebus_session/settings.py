"""Owns the settings of the session service."""

from chargebus_runtime.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chargebus_session.transactions.domain.energy import MAX_POWER_W


class SessionSettings(ServiceSettings):
    """What an operator may change, each by the environment variable `SESSION_<NAME>`.

    A remote start or stop waits `remote_ttl_s` for a station that is busy or just reconnecting, then it is given up:
    it must not fire when nobody stands there any more. One bulk call may register `bulk_tokens`. Energy that an EVSE
    cannot have given in the time is not believed; one of which nothing is known gives at most `max_power_w`. A session
    that may be over is ended, after its station is asked where OCPP can tell, when its end did not come within
    `end_grace_s`; every `end_sweep_s` that is looked at.
    """

    model_config = SettingsConfigDict(env_prefix="SESSION_", extra="ignore", frozen=True)

    remote_ttl_s: float = Field(default=5.0, ge=0, le=60)
    bulk_tokens: int = Field(default=10_000, ge=1)
    end_grace_s: float = Field(default=120.0, ge=0, le=86_400)
    end_sweep_s: float = Field(default=5.0, ge=0.1, le=3_600)
    max_power_w: float = Field(default=MAX_POWER_W, ge=1_000, le=100_000_000)
