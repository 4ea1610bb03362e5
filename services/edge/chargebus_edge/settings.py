"""Owns the settings of the edge."""

import re

from chargebus_events.topics import MAX_RECORD_BYTES, SLOTS
from chargebus_runtime.settings import ServiceSettings
from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

_ORDINAL = re.compile(r"(?:.+-)?(\d+)")
_ENVIRONMENT = SettingsConfigDict(env_prefix="EDGE_", extra="ignore", frozen=True)


class ListenSettings(ServiceSettings):
    """Where stations connect, and how many may.

    `allow_plain_ws` switches plain `ws://` on; there is no TLS yet, so without it there is no edge. Who is turned away
    for a while is told to come again after `retry_after_s` to twice that. A message of more than `max_frame_bytes` is
    refused by its id, and the connection goes on.
    """

    model_config = _ENVIRONMENT

    host: str = "127.0.0.1"
    port: int = Field(default=9310, ge=0, le=65535)
    allow_plain_ws: bool = False
    max_connections: int = Field(default=50_000, ge=1)
    max_frame_bytes: int = Field(default=1024 * 1024, ge=1024, le=MAX_RECORD_BYTES // 2)
    retry_after_s: float = Field(default=10.0, gt=0)


class CallSettings(ServiceSettings):
    """A station's calls.

    `order_hold_s`: how long an unanswered call of a station holds back the answers to its later ones.
    `forget_call_s`: when an unanswered call is given up.
    """

    model_config = _ENVIRONMENT

    max_open_calls: int = Field(default=32, ge=1)
    order_hold_s: float = Field(default=5.0, ge=0)
    forget_call_s: float = Field(default=120.0, gt=0)


class SilenceSettings(ServiceSettings):
    """Whether a station is still there.

    A station that says nothing for `ping_after_s` is pinged; one that has answered pings before has `pong_within_s`,
    any other is closed after `silent_for_s`. Where `device` heard nothing of one that is there for `unseen_s`, the
    presence log says so again.
    """

    model_config = _ENVIRONMENT

    ping_after_s: float = Field(default=60.0, gt=0)
    pong_within_s: float = Field(default=30.0, gt=0)
    silent_for_s: float = Field(default=900.0, gt=0)
    unseen_s: float = Field(default=360.0, gt=0)


class KafkaSettings(ServiceSettings):
    """What is done while Kafka does not take what stations say.

    When its acknowledgements take longer than `stall_s`, stations are not read; after `dark_s` they are closed, within
    `spread_s`. Nor are they read while more than `max_waiting_bytes` of theirs wait for Kafka.
    """

    model_config = _ENVIRONMENT

    stall_s: float = Field(default=3.0, gt=0)
    dark_s: float = Field(default=8.0, gt=0)
    spread_s: float = Field(default=10.0, gt=0)
    max_waiting_bytes: int = Field(default=64 * 1024 * 1024, ge=1024 * 1024)


class EdgeSettings(ServiceSettings):
    """What an operator may change, each by the environment variable `EDGE_<NAME>`, whatever its group.

    `slot` is this edge's downlink partition, its own among all edges: a number, or a pod's name that ends in one
    (`edge-3`). `drain_s` is over how long a full edge closes its connections when it is told to stop.
    """

    model_config = _ENVIRONMENT

    slot: int = Field(default=0, ge=0, lt=SLOTS)
    drain_s: float = Field(default=20.0, ge=0)
    listen: ListenSettings = Field(default_factory=ListenSettings)
    calls: CallSettings = Field(default_factory=CallSettings)
    silence: SilenceSettings = Field(default_factory=SilenceSettings)
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)

    @field_validator("slot", mode="before")
    @classmethod
    def _ordinal(cls, value: object) -> object:
        match = _ORDINAL.fullmatch(value) if isinstance(value, str) else None
        return value if match is None else int(match[1])
