"""The composition root of the edge."""

import time
from dataclasses import dataclass
from typing import Final

from chargebus_events.topics import DOWNLINK, PRESENCE, REGISTRY
from chargebus_runtime.process import Process
from chargebus_runtime.service import Service
from chargebus_runtime.view import Tail, View

from chargebus_edge.counts import Counts
from chargebus_edge.door.admission import Admission
from chargebus_edge.door.credentials import Credentials
from chargebus_edge.door.registry import Terms
from chargebus_edge.edge import Edge
from chargebus_edge.log.connections import Connections, TableParts
from chargebus_edge.log.darkness import Darkness
from chargebus_edge.log.downlink import Downlink
from chargebus_edge.log.drain import Drain
from chargebus_edge.log.frames import Stamp
from chargebus_edge.log.kafka_health import HealthLimits, KafkaHealth
from chargebus_edge.log.obstacles import Obstacles
from chargebus_edge.log.presence import PresenceReader, Remnants
from chargebus_edge.log.slot import Slot
from chargebus_edge.log.stations import Station
from chargebus_edge.log.uplink import Uplink
from chargebus_edge.metrics import Levels, Metrics
from chargebus_edge.rpc.connection import ConnectionParts, OcppConnection
from chargebus_edge.rpc.garbage import FrozenHeap
from chargebus_edge.rpc.limits import ConnectionLimits, ProtocolLimits
from chargebus_edge.rpc.registry_changes import RegistryChanges
from chargebus_edge.rpc.server import ServerParts, StationServer
from chargebus_edge.rpc.sockets import Socket
from chargebus_edge.rpc.timer import ConnectionTimer
from chargebus_edge.settings import EdgeSettings

PRESENCE_PACE_S: Final = 0.02
"""How far the view of presence may lag: a connection has its own epoch from Kafka's acknowledgement, and waits for
nothing here; what is read tells of newer connections elsewhere."""


class NoTransportError(ValueError):
    """The edge is not told by which transport to let stations in; the message says how."""


def build(process: Process) -> Service:
    """Wire the service.

    Raises:
        NoTransportError: plain WebSockets are not switched on, and there is no other transport yet.
    """
    settings = process.load(EdgeSettings)
    if not settings.listen.allow_plain_ws:
        raise NoTransportError(
            "the edge serves plain ws:// only, which is off by default: set EDGE_ALLOW_PLAIN_WS=true"
        )
    return wire(process, settings).service


@dataclass(frozen=True)
class Wired:
    """The service, and the edge behind it."""

    service: Service
    edge: Edge


def wire(process: Process, settings: EdgeSettings) -> Wired:
    """Make the parts and join them."""
    monotonic, clock, listen = time.monotonic, process.clock, settings.listen
    metrics, counts, obstacles = Metrics(), Counts(monotonic), Obstacles(listen.retry_after_s)
    uplink = Uplink(process.producer, monotonic, metrics.publish_duration(), settings.kafka.max_waiting_bytes)
    remnants = Remnants()
    connections: Connections[OcppConnection] = Connections(
        TableParts(settings.slot, uplink, counts, clock, monotonic, remnants)
    )
    uplink.follow(lambda: connections.hold("memory"), lambda: connections.release("memory"))
    changes = RegistryChanges(connections)
    slot = Slot(settings.slot, process.producer, clock, monotonic)
    process.edges.follow(slot.hear)
    health = KafkaHealth(HealthLimits(settings.kafka.stall_s, settings.kafka.dark_s))
    credentials = Credentials(monotonic)
    registry_view = View(REGISTRY, changes.registry.apply, unreadable=changes.registry.refuse)
    admission = Admission(
        obstacles,
        changes.registry,
        credentials,
        crowded=lambda: len(connections) >= listen.max_connections,
        newest=registry_view.catch_up,
    )
    parts = ConnectionParts(
        slot=settings.slot,
        uplink=uplink,
        counts=counts,
        clock=clock,
        stamp=Stamp(clock),
        monotonic=monotonic,
        limits=_limits(settings),
        tracing=process.telemetry.tracing,
        gone=connections.gone,
        there=connections.assert_again,
    )

    def connect(station: Station, terms: Terms, socket: Socket) -> OcppConnection:
        return OcppConnection(station, terms, socket, parts)

    def opened(connection: OcppConnection) -> None:
        changes.registry.used(connection.station.station_id, connection.station.credential)
        connections.open(connection)
        changes.review(connection)  # the registry may have changed during the handshake

    edge = Edge(
        slot=slot,
        connections=connections,
        server=StationServer(
            ServerParts(listen.host, listen.port, listen.max_frame_bytes, admission, connect, opened, counts)
        ),
        timer=ConnectionTimer(connections, health, FrozenHeap(), monotonic),
        health=health,
        obstacles=obstacles,
        drainer=Drain(connections, uplink, slot, obstacles, monotonic, settings.drain_s),
        credentials=credentials,
        monotonic=monotonic,
    )
    darkness = Darkness(health, connections, uplink, slot, obstacles, counts, monotonic, settings.kafka.spread_s)
    reader = PresenceReader(settings.slot, connections, remnants, monotonic)
    downlink = Downlink(connections, counts, process.edges.kafka_clock, monotonic)
    metrics.export(
        counts,
        Levels(
            connections=lambda: len(connections),
            registered=lambda: len(changes.registry),
            unacknowledged=lambda: len(uplink),
            waiting_bytes=lambda: uplink.waiting_bytes,
        ),
    )
    service = Service(
        "edge",
        views=(
            registry_view,
            View(PRESENCE, reader.apply, PRESENCE_PACE_S, unreadable=reader.fence),
            process.edges.view,
        ),
        tails=(Tail(DOWNLINK, settings.slot, downlink.apply),),
        tasks=(uplink.run, edge.keep_slot, edge.leave_slot, edge.timer.run, darkness.run),
        start=edge.start,
        drain=edge.drain,
        checks=(edge.check,),
    )
    return Wired(service, edge)


def _limits(settings: EdgeSettings) -> ConnectionLimits:
    calls, silence = settings.calls, settings.silence
    return ConnectionLimits(
        protocol=ProtocolLimits(
            order_hold_s=calls.order_hold_s, forget_call_s=calls.forget_call_s, max_open_calls=calls.max_open_calls
        ),
        ping_after_s=silence.ping_after_s,
        pong_within_s=silence.pong_within_s,
        silent_for_s=silence.silent_for_s,
        unseen_s=silence.unseen_s,
        unacknowledged=calls.max_open_calls,
    )
