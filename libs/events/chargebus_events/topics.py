"""Every topic: its name, key, partitions, retention and owner; the only place where a topic is declared."""

from dataclasses import dataclass, replace
from typing import Literal

from chargebus_events.services import RUNNING, SERVICES, DeclaredService, dashed

DAY_MS = 24 * 3600 * 1000
MINUTE_MS = 60 * 1000
MAX_RECORD_BYTES = 4 * 1024 * 1024
MAX_VALUE_BYTES = MAX_RECORD_BYTES - 16 * 1024  # the rest is more than any key and headers of ours

Cleanup = Literal["delete", "compact"]


@dataclass(frozen=True)
class Topic:
    """A Kafka topic and its contract.

    `owner` is the one service that declares the topic's records; `readers` are told for the docs.
    `retention_ms` counts for cleanup `delete` only. `stamped`: the time of a record is that at which its broker
    appended it, by the broker's clock; else it is the producer's.
    """

    name: str
    key: str
    owner: str
    readers: tuple[str, ...]
    partitions: int
    cleanup: Cleanup = "delete"
    retention_ms: int = 7 * DAY_MS
    public: bool = False
    stamped: bool = False
    about: str = ""

    def capped(self, partitions: int) -> "Topic":
        """Return the topic with at most so many partitions (0: as they are), unless they are addresses."""
        if partitions == 0 or self.name == DOWNLINK:
            return self
        return replace(self, partitions=min(self.partitions, partitions))

    @property
    def compacted(self) -> bool:
        """Whether the topic keeps the newest record of each key for ever, and its offsets may have holes."""
        return self.cleanup == "compact"

    def config(self) -> dict[str, str]:
        """Return the topic's settings as Kafka names them."""
        common = {"max.message.bytes": str(MAX_RECORD_BYTES)}
        if self.stamped:
            common["message.timestamp.type"] = "LogAppendTime"
        if self.compacted:
            return common | {
                "cleanup.policy": "compact",
                "min.cleanable.dirty.ratio": "0.2",
                "segment.ms": str(DAY_MS),
                "delete.retention.ms": str(DAY_MS),
            }
        return common | {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_ms),
            # Kafka deletes whole segments: one that is written to for a week would keep its first record so long.
            **({"segment.ms": str(self.retention_ms)} if self.retention_ms < DAY_MS else {}),
        }


FRAME_PARTITIONS = 12
SLOTS = 32

FRAMES_PREFIX = "ocpp.frames."
FRAME_SERVICES = tuple(service.host for service in SERVICES if service.frames)


def frames_topic(service: str) -> str:
    """Return the topic of the frames whose actions `service` owns."""
    return FRAMES_PREFIX + dashed(service)


def parked_topic(service: str) -> str:
    """Return the topic of the records that `service` could not handle."""
    return f"{dashed(service)}.parked"


def outcomes_topic(requester: str) -> str:
    """Return the topic of the outcomes of the commands that `requester` asked for."""
    return f"ocpp.outcomes.{dashed(requester)}"


DOWNLINK = "ocpp.downlink"
COMMANDS = "ocpp.commands"
DELIVERIES = "ocpp.deliveries"
PRESENCE = "ocpp.presence"
DEVIATIONS = "ocpp.deviations"
EDGES = "ocpp.edges"
REGISTRY = "station.registry"
CREDENTIALS = "station.credentials"
API_KEYS = "access.keys"
STATION_EVENTS = "station.events"
SESSION_EVENTS = "session.events"
METER_VALUES = "meter.values"
CHARGING_LIMITS = "charging.limits"
CHARGING_PLANS = "charging.plans"
GRID_SERIES = "grid.series"
ALERT_EVENTS = "alert.events"
FIRMWARE_EVENTS = "firmware.events"
SECURITY_EVENTS = "security.events"

ASKING_SERVICES = tuple(service.name for service in RUNNING if service.asks)
"""Those that ask stations for commands, each by the name under which it asks."""


def _readers_of_frames(service: DeclaredService) -> tuple[str, ...]:
    return (service.host, *(other.host for other in RUNNING if service.name in other.listens_to))


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        *(
            Topic(
                frames_topic(service.name),
                "station",
                "edge",
                _readers_of_frames(service),
                FRAME_PARTITIONS,
                retention_ms=14 * DAY_MS,
                about=f"CALLs and SENDs from stations whose actions {service.host} owns, as the station sent them",
            )
            for service in SERVICES
            if service.frames
        ),
        Topic(
            DOWNLINK,
            "station; the partition is the edge's slot",
            "edge",
            ("edge",),
            SLOTS,
            retention_ms=10 * MINUTE_MS,
            about="answers to CALLs and commands to send, secrets and all, to the one edge that holds the socket",
        ),
        Topic(COMMANDS, "station", "command", ("command",), 6, about="commands that any service asks for"),
        Topic(DELIVERIES, "station", "edge", ("command",), 6, about="what became of a command on the wire"),
        *(
            Topic(
                outcomes_topic(service),
                "station",
                "command",
                (dashed(service),),
                6,
                about=f"the one outcome of each command that {service} asked for",
            )
            for service in ASKING_SERVICES
        ),
        Topic(
            PRESENCE,
            "station",
            "edge",
            ("edge", "command", "device"),
            6,
            "compact",
            about="which slot and connection epoch holds the station",
        ),
        Topic(
            DEVIATIONS,
            "station",
            "edge",
            ("device",),
            6,
            about="in what ways a station's frames break their schemas, and how often; never each frame",
        ),
        Topic(
            EDGES,
            "slot",
            "edge",
            ("edge", "command", "device"),
            1,
            "compact",
            stamped=True,
            about="each slot's heartbeat; its leader's clock is the one that commands are told to be fresh by",
        ),
        Topic(
            REGISTRY,
            "station",
            "device",
            ("edge", "command", "session", "security"),
            6,
            "compact",
            about="credentials, versions, make, registration, EVSEs of every station; onboarding, deviation rules",
        ),
        Topic(
            CREDENTIALS,
            "station",
            "device",
            ("device",),
            6,
            about="what services change of stations' credentials: what comes of it stands in station.registry",
        ),
        Topic(API_KEYS, "key id", "access", ("every service",), 1, "compact", about="hashed API keys and roles"),
        Topic(
            STATION_EVENTS,
            "station",
            "device",
            ("session", "smart-charging", "firmware", "notification", "security"),
            FRAME_PARTITIONS,
            retention_ms=90 * DAY_MS,
            public=True,
            about="boots, connections, connector status, what operators say of stations, and what their monitors tell",
        ),
        Topic(
            SESSION_EVENTS,
            "station",
            "session",
            ("metering", "smart-charging", "firmware", "notification"),
            FRAME_PARTITIONS,
            retention_ms=90 * DAY_MS,
            public=True,
            about="charging sessions: started, updated, ended",
        ),
        Topic(
            METER_VALUES,
            "station",
            "metering",
            ("smart-charging", "notification"),
            FRAME_PARTITIONS,
            retention_ms=90 * DAY_MS,
            public=True,
            about="normalised meter readings",
        ),
        Topic(
            CHARGING_LIMITS,
            "site",
            "smart-charging",
            ("smart-charging",),
            FRAME_PARTITIONS,
            retention_ms=90 * DAY_MS,
            public=True,
            about="limits that others set on a part of a site: whoever may write here sets one by it",
        ),
        Topic(
            CHARGING_PLANS,
            "site",
            "smart-charging",
            (),
            FRAME_PARTITIONS,
            retention_ms=90 * DAY_MS,
            public=True,
            about="what each EVSE of a site may draw, from when on, and why",
        ),
        Topic(
            GRID_SERIES,
            "zone",
            "smart-charging",
            ("smart-charging",),
            FRAME_PARTITIONS,
            retention_ms=90 * DAY_MS,
            public=True,
            about="prices, CO2 and demand of the grid over time: whoever may write here tells of one by it",
        ),
        Topic(
            ALERT_EVENTS,
            "station or site",
            "notification",
            ("notification",),
            FRAME_PARTITIONS,
            retention_ms=90 * DAY_MS,
            public=True,
            about="what somebody should look at, and when it is over: any service may tell of it here",
        ),
        Topic(
            FIRMWARE_EVENTS,
            "station, or campaign",
            "firmware",
            ("notification",),
            FRAME_PARTITIONS,
            retention_ms=90 * DAY_MS,
            public=True,
            about="firmware updates, their campaigns, and logs of stations",
        ),
        Topic(
            SECURITY_EVENTS,
            "station, certificate or address",
            "notification",
            ("notification",),
            FRAME_PARTITIONS,
            retention_ms=90 * DAY_MS,
            public=True,
            about="what stations tell of their security, certificates that run out, connections that were refused",
        ),
        *(
            Topic(
                parked_topic(service.name),
                "station",
                service.host,
                (),
                1,
                retention_ms=90 * DAY_MS,
                about=f"records that {service.host} could not handle, with the reason",
            )
            for service in RUNNING
            if service.parks
        ),
    )
}
