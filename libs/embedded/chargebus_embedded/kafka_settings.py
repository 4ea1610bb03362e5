"""How small a broker can be made: the Java flags and settings of the one embedded Kafka node."""

from dataclasses import dataclass
from pathlib import Path

from chargebus_embedded.ports import LOOPBACK

NODE_ID = 1

JAVA_FLAGS = (
    "-Xms64m",
    "-Xmx160m",
    "-Xss256k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)

# Four partitions for each of Kafka's own topics, two threads for each kind of work: one machine, a few clients.
_SMALL = {
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "2",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.index.size.max.bytes": "1048576",
    "log.segment.bytes": "67108864",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}

# A lone member need not wait for others (3 s by default). Tests may ask for short sessions (6 s at least by default).
# After a kill -9 the node takes itself back as soon as the controller has given up its former self (9 s by default).
_PROMPT = {
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
}

# At rest the controller writes a record twice a second, for others to see that it is there: here there are none.
_QUIET = {"metadata.max.idle.interval.ms": "10000"}


@dataclass(frozen=True)
class Place:
    """Where one embedded broker keeps its log, and its two ports on the loopback interface."""

    log_folder: Path
    port: int
    controller_port: int

    @property
    def address(self) -> str:
        """The broker's address for clients."""
        return f"{LOOPBACK}:{self.port}"


def broker_properties(place: Place) -> str:
    """Return the text of the broker's properties file."""
    controller = f"{LOOPBACK}:{place.controller_port}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        "controller.quorum.voters": f"{NODE_ID}@{controller}",
        "listeners": f"CLIENTS://{place.address},CONTROLLER://{controller}",
        "advertised.listeners": f"CLIENTS://{place.address}",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": place.log_folder.name,  # from the folder that it is started in: a comma would separate folders
        "auto.create.topics.enable": "false",
        **_SMALL,
        **_PROMPT,
        **_QUIET,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
