"""Owns the settings of the edge."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from chargebus_events.topics import MAX_RECORD_BYTES, SLOTS
from chargebus_runtime.settings import ServiceSettings
from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from chargebus_edge.door.certificates import IdentityKind
from chargebus_edge.door.revocation import RevocationPolicy
from chargebus_edge.tls.context import FORWARD_SECRET, MinimumVersion
from chargebus_edge.tls.proxy import Network

_ORDINAL = re.compile(r"(?:.+-)?(\d+)")
_ENVIRONMENT = SettingsConfigDict(env_prefix="EDGE_", extra="ignore", frozen=True)


def _listed(value: object) -> object:
    """Return the parts of a text, which commas part."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


_Listed = BeforeValidator(_listed)
_Paths = Annotated[tuple[Path, ...], NoDecode, _Listed]


def _network(value: object) -> object:
    return ipaddress.ip_network(value) if isinstance(value, str) else value


_Networks = Annotated[tuple[Annotated[Network, BeforeValidator(_network)], ...], NoDecode, _Listed]


class ListenSettings(ServiceSettings):
    """Where stations connect, and how many may.

    `allow_plain_ws` switches plain `ws://` on; without it there is TLS only (`TlsSettings`). `allow_no_credentials`
    lets in stations that are registered with security profile 0 without a password. Who is turned away for a while is
    told to come again after `retry_after_s` to twice that. A message of more than `max_frame_bytes` is refused by its
    id, and the connection goes on. With `compression`, messages are compressed for stations that offer it.
    """

    model_config = _ENVIRONMENT

    host: str = "127.0.0.1"
    port: int = Field(default=9310, ge=0, le=65535)
    allow_plain_ws: bool = False
    allow_no_credentials: bool = False
    max_connections: int = Field(default=50_000, ge=1)
    max_frame_bytes: int = Field(default=1024 * 1024, ge=1024, le=MAX_RECORD_BYTES // 2)
    retry_after_s: float = Field(default=10.0, gt=0)
    compression: bool = True


class TlsSettings(ServiceSettings):
    """TLS: `wss://` on `tls_port`, with certificates from files that are taken anew when they change.

    `tls_certificates` are files with the server's certificate and its chain, one for RSA and one for ECDSA or either;
    `tls_keys` their keys, in the same order, unless those stand in the same files. `tls_client_ca` are the trust
    anchors of client certificates (security profile 3), in which the station's identity stands in one of
    `tls_client_identity`. Whether one was revoked, `tls_crls` tell, or with `tls_ocsp` whom its issuer names for that,
    in a public network or one of `tls_ocsp_networks`; whose state nobody tells is let in where `tls_revocation` is
    `soft`, and not where it is `hard`. `tls_expiry_days` before a certificate expires it is told of. The files are
    looked at every `tls_look_s`, and on SIGHUP.
    """

    model_config = _ENVIRONMENT

    tls_port: int | None = Field(default=None, ge=0, le=65535)
    tls_certificates: _Paths = ()
    tls_keys: _Paths = ()
    tls_minimum: MinimumVersion = "1.2"
    tls_ciphers: Annotated[tuple[str, ...], NoDecode, _Listed] = FORWARD_SECRET
    tls_client_ca: _Paths = ()
    tls_client_identity: Annotated[tuple[IdentityKind, ...], NoDecode, _Listed] = ("cn", "san")
    tls_revocation: RevocationPolicy = "soft"
    tls_crls: _Paths = ()
    tls_ocsp: bool = True
    tls_ocsp_networks: _Networks = ()
    tls_expiry_days: float = Field(default=30.0, ge=0)
    tls_look_s: float = Field(default=5.0, gt=0)
    tls_handshakes: int = Field(default=1000, ge=1)
    tls_handshakes_per_address: int = Field(default=250, ge=1)
    tls_handshake_s: float = Field(default=15.0, gt=0)


class ProxySettings(ServiceSettings):
    """What stands in front: from these networks, and no others, is believed for whom a connection is passed on.

    `proxy_protocol_from`: their connections begin with a header of PROXY protocol 2.
    `forwarded_from`: they have ended TLS; what they say in X-Forwarded-Proto counts, and in the header that
    `forwarded_certificate_header` names, the client's certificate, which one of `tls_client_ca` has to have signed.
    """

    model_config = _ENVIRONMENT

    proxy_protocol_from: _Networks = ()
    forwarded_from: _Networks = ()
    forwarded_certificate_header: str = ""


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
    tls: TlsSettings = Field(default_factory=TlsSettings)
    proxies: ProxySettings = Field(default_factory=ProxySettings)
    calls: CallSettings = Field(default_factory=CallSettings)
    silence: SilenceSettings = Field(default_factory=SilenceSettings)
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)

    @field_validator("slot", mode="before")
    @classmethod
    def _ordinal(cls, value: object) -> object:
        match = _ORDINAL.fullmatch(value) if isinstance(value, str) else None
        return value if match is None else int(match[1])
