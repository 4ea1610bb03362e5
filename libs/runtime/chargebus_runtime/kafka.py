"""How this process reaches Kafka: one set of connection options for every client, one form of what comes back."""

import ssl
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from chargebus_events.record import Received
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from chargebus_runtime.aiokafka_private import ended_task, mend_torn_connections
from chargebus_runtime.settings import RuntimeSettings

_LOG_APPEND_TIME = 1  # the record's timestamp type, in Kafka's own number

mend_torn_connections()  # here, as there is no Kafka client without this module

_SASL = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


class KafkaSettingsError(ValueError):
    """The KAFKA_ settings contradict each other; the message says which."""


@dataclass(frozen=True)
class KafkaConnection:
    """Where Kafka is and how to prove who we are."""

    settings: RuntimeSettings

    def security(self) -> BaseSecurity | None:
        """Return FastStream's form of the security settings, or None for a plaintext listener."""
        settings = self.settings
        protocol = settings.kafka_security_protocol
        context = self._ssl_context() if protocol.endswith("SSL") else None
        if protocol == "PLAINTEXT":
            return None
        if protocol == "SSL":
            return BaseSecurity(ssl_context=context, use_ssl=True)
        mechanism = _SASL.get(settings.kafka_sasl_mechanism)
        if mechanism is None or protocol not in ("SASL_PLAINTEXT", "SASL_SSL"):
            raise KafkaSettingsError(
                "KAFKA_SECURITY_PROTOCOL is one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL; "
                f"KAFKA_SASL_MECHANISM one of {', '.join(_SASL)}"
            )
        return mechanism(
            username=settings.kafka_username,
            password=settings.kafka_password,
            ssl_context=context,
            use_ssl=context is not None,
        )

    def client_options(self) -> dict[str, Any]:
        """Return the options in the names of aiokafka's clients."""
        settings = self.settings
        options: dict[str, Any] = {
            "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
            "security_protocol": settings.kafka_security_protocol,
        }
        if settings.kafka_security_protocol.endswith("SSL"):
            options["ssl_context"] = self._ssl_context()
        if settings.kafka_security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = settings.kafka_sasl_mechanism
            options["sasl_plain_username"] = settings.kafka_username
            options["sasl_plain_password"] = settings.kafka_password
        return options

    async def cluster_id(self) -> str:
        """Return the id of the Kafka cluster; a new cluster has a new one.

        Raises:
            KafkaError: Kafka cannot be reached, or does not tell its id (yet): that is no cluster of its own.
        """
        admin = AIOKafkaAdminClient(**self.client_options())
        try:
            await admin.start()
            description = await admin.describe_cluster()
        finally:
            await admin.close()
        cluster_id = str(description.get("cluster_id") or "")
        if not cluster_id:
            raise KafkaError("Kafka does not tell the id of its cluster")
        return cluster_id

    def _ssl_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.settings.kafka_ca_file or None)


class DeadClientError(RuntimeError):
    """A Kafka client lives on without one of its tasks: only a new process helps."""


def check_alive(client: AIOKafkaConsumer) -> None:
    """Raise if a background task of a consumer has ended: it would find nothing from then on, and never say so.

    Raises:
        DeadClientError: and nothing else.
    """
    ended = ended_task(client)
    if ended is not None:
        raise DeadClientError(f"a task of the Kafka client ended: {ended!r}")


def received(record: ConsumerRecord) -> Received:
    """Return the client's record as the envelope that everything here works with."""
    return Received(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key.decode("utf-8", "replace") if record.key else "",
        value=record.value,
        headers=dict(record.headers),
        timestamp_ms=record.timestamp,
        stamped_by_kafka=record.timestamp_type == _LOG_APPEND_TIME,
    )
