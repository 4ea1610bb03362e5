"""The AsyncAPI document of all topics: `make contract` writes docs/asyncapi.json.

FastStream makes it, from a broker that exists for the document only: one publisher for each type of record on each
declared topic. What FastStream does not know of is added: headers, partitions, retention.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from chargebus_events import access, commands, frames, presence, registry
from chargebus_events.public import PUBLIC, topic_of
from chargebus_events.schemas import schema_of_type
from chargebus_events.topics import (
    API_KEYS,
    ASKING_SERVICES,
    COMMANDS,
    DELIVERIES,
    DOWNLINK,
    EDGES,
    FRAME_SERVICES,
    PRESENCE,
    REGISTRY,
    TOPICS,
    Topic,
    frames_topic,
    outcomes_topic,
)
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI
from pydantic import Field, WithJsonSchema

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "asyncapi.json"
VERSION: Final = "1.0.0"

_ABOUT = """\
Every Kafka topic of Chargebus. Records are CloudEvents 1.0 in Kafka's binary mode: the value is the data, the \
attributes are headers. Topics tagged public are a versioned contract (see data-contract.md); all others are the \
services' own and may change with any release."""
_OCPP_PAYLOAD = {"type": "object", "description": "The payload of an OCPP message, as it is on the wire"}
_RPC_ERROR = {
    "type": "object",
    "description": "A CALLERROR",
    "properties": {
        "code": {"type": "string", "description": "an RPC error code of the frame's version"},
        "description": {"type": "string", "default": ""},
        "details": {"type": "object", "default": {}},
    },
    "required": ["code", "description", "details"],
}
_PARKED = {"description": "The value of the record that could not be handled, as it was"}

_CLOUD_EVENT = {
    "ce_specversion": "1.0",
    "ce_id": "the same for the same fact: a record may go out twice",
    "ce_type": "what the value is",
    "ce_source": "who says so, such as /device or /edge/0",
    "ce_subject": "whom it is about: a station, a slot, a key",
    "ce_time": "RFC 3339 in UTC",
    "content-type": "application/json",
}
_OF_FRAME = {
    "ocpp_version": "1.6, 2.0.1 or 2.1",
    "ocpp_action": "the OCPP action",
    "ocpp_message_id": "the station's message id",
    "ocpp_slot": "the edge's slot: the partition of ocpp.downlink for the answer",
    "ocpp_epoch": "the connection",
    "ocpp_number": "counts the connection's frames",
}
_OF_ANSWER = {"ocpp_epoch": "the connection", "ocpp_number": "which of its frames is answered"}
_OF_BOOT_ANSWER = _OF_ANSWER | {"registration": "with the answer to a boot: accepted, pending or rejected"}
_OF_COMMAND = {
    "ocpp_action": "the OCPP action",
    "ocpp_epoch": "the connection",
    "timeout_s": "how long the station may take to answer; so long after ce_time it is not written any more",
    "expires_at": "optional: from when on it is not written any more, RFC 3339 in UTC",
}
_OF_PARKED = {
    "parked_topic": "where the record came from",
    "parked_partition": "its partition",
    "parked_offset": "its offset",
    "parked_reason": "why it could not be handled",
    "parked_at": "when it was set aside",
}


@dataclass(frozen=True)
class Message:
    """One type of record: its CloudEvents type, the schema of its value, and its headers beside CloudEvents'."""

    kind: str
    schema: Mapping[str, Any]
    headers: Mapping[str, str]


def messages_of(topic: Topic) -> list[Message]:
    """Return the types of record on a topic."""
    internal = _INTERNAL.get(topic.name)
    if internal is not None:
        return internal
    public = [_typed(kind, struct) for kind, struct in PUBLIC.items() if topic_of(kind) == topic.name]
    return public or [Message("parked", _PARKED, _OF_PARKED)]


def build() -> dict[str, Any]:
    """Return the document."""
    broker = KafkaBroker("kafka:9092", description="The operator's own Kafka")
    channels: dict[str, tuple[Topic, Message]] = {}
    for topic in TOPICS.values():
        for message in messages_of(topic):
            name = f"{topic.name}:{message.kind}"
            channels[name] = topic, message
            payload = Annotated[Any, WithJsonSchema(dict(message.schema)), Field(title=message.kind)]
            broker.publisher(topic.name, title=name, description=_describe(topic), schema=payload)
    specification = AsyncAPI(broker, title="Chargebus", version=VERSION, description=_ABOUT).to_specification()
    document: dict[str, Any] = json.loads(specification.to_json())
    for name, (topic, message) in channels.items():
        _complete(document, name, topic, message)
    return _in_order(document, list(channels))


def render() -> str:
    """Return what docs/asyncapi.json must hold."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write docs/asyncapi.json."""
    DOCUMENT.write_text(render(), encoding="utf-8")


def _typed(kind: str, struct: type[msgspec.Struct]) -> Message:
    schema = schema_of_type(struct)
    return Message(kind, _inlined({"$ref": schema["$ref"]}, schema["$defs"]), {})


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema with its definitions in place of references: FastStream knows no references of others."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
    return {key: _inlined(value, definitions) for key, value in node.items()}


def _describe(topic: Topic) -> str:
    readers = ", ".join((*topic.readers, *(["data teams"] if topic.public else []))) or "operators"
    return f"{topic.about}. Key: {topic.key}. Owner: {topic.owner}. Readers: {readers}."


def _complete(document: dict[str, Any], name: str, topic: Topic, message: Message) -> None:
    channel = document["channels"][name]
    channel["tags"] = [{"name": "public" if topic.public else "internal"}]
    channel["bindings"]["kafka"] |= {
        "partitions": topic.partitions,
        "topicConfiguration": _topic_configuration(topic),
    }
    described = document["components"]["messages"][f"{name}:Message"]
    del described["correlationId"]  # FastStream's own header, which our records do not have
    described |= {"name": message.kind, "headers": _headers(message), "bindings": {"kafka": _key(topic)}}


def _in_order(document: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the document in the order of the topic table: FastStream keeps its publishers in a set."""
    components = document["components"]
    components["messages"] = {f"{name}:Message": components["messages"][f"{name}:Message"] for name in names}
    components["schemas"] = dict(sorted(components["schemas"].items()))
    for part in ("channels", "operations"):
        document[part] = {name: document[part][name] for name in names}
    return document


def _topic_configuration(topic: Topic) -> dict[str, Any]:
    config = topic.config()
    numeric = [name for name in ("retention.ms", "max.message.bytes") if name in config]
    return {"cleanup.policy": [topic.cleanup]} | {name: int(config[name]) for name in numeric}


def _key(topic: Topic) -> dict[str, Any]:
    return {"key": {"type": "string", "description": topic.key}}


def _headers(message: Message) -> dict[str, Any]:
    described = _CLOUD_EVENT | dict(message.headers)
    properties = {name: {"type": "string", "description": text} for name, text in described.items()}
    return {"type": "object", "properties": properties, "required": list(_CLOUD_EVENT)}


_INTERNAL: Final[Mapping[str, list[Message]]] = {
    **{
        frames_topic(service): [
            Message(frames.CALL, _OCPP_PAYLOAD, _OF_FRAME),
            Message(frames.SEND, _OCPP_PAYLOAD, _OF_FRAME),
        ]
        for service in FRAME_SERVICES
    },
    DOWNLINK: [
        Message(frames.ANSWER, _OCPP_PAYLOAD, _OF_BOOT_ANSWER),
        Message(frames.ERROR, _RPC_ERROR, _OF_ANSWER),
        Message(commands.COMMAND, _OCPP_PAYLOAD, _OF_COMMAND),
    ],
    COMMANDS: [_typed(commands.REQUESTED, commands.CommandRequested)],
    DELIVERIES: [_typed(commands.DELIVERY, commands.Delivery)],
    **{outcomes_topic(service): [_typed(commands.OUTCOME, commands.CommandOutcome)] for service in ASKING_SERVICES},
    PRESENCE: [_typed(presence.PRESENCE_TYPE, presence.Presence)],
    EDGES: [_typed(presence.EDGE_TYPE, presence.EdgeHeartbeat)],
    REGISTRY: [
        _typed(registry.STATION_TYPE, registry.RegisteredStation),
        _typed(registry.ONBOARDING_TYPE, registry.OnboardingPolicy),
    ],
    API_KEYS: [_typed(access.API_KEY_TYPE, access.ApiKey)],
}


if __name__ == "__main__":
    write()
