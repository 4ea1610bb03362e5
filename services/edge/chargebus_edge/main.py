"""The composition root of the edge."""

import time
from dataclasses import dataclass
from typing import Final

from chargebus_events.topics import DOWNLINK, PRESENCE, REGISTRY
from chargebus_runtime.process import Process
from chargebus_runtime.service import Service
from chargebus_runtime.view import Tail, View

from chargebus_edge.connection import Connection, ConnectionParts, Socket, Station
from chargebus_edge.connections import Connections, TableParts
from chargebus_edge.credentials import Credentials
from chargebus_edge.darkness import Darkness
from chargebus_edge.doorman import Doorman
from chargebus_edge.downlink import Downlink
from chargebus_edge.drain import Drain
from chargebus_edge.edge import Edge
from chargebus_edge.frame_records import Stamp
from chargebus_edge.gate import Gate
from chargebus_edge.limits import ConnectionLimits, LinkLimits
from chargebus_edge.memory import Heap
from chargebus_edge.metrics import Levels, Metrics
from chargebus_edge.presence import PresenceReader, Remnants
from chargebus_edge.registry_changes import RegistryChanges
from chargebus_edge.server import ServerParts, StationServer
from chargebus_edge.settings import EdgeSettings
from chargebus_edge.slot import Slot
from chargebus_edge.sweep import REMNANT_RETRY_S, Sweep
from chargebus_edge.tally import Tally
from chargebus_edge.uplink import Uplink
from chargebus_edge.watch import KafkaWatch, WatchLimits

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
    if not settings.allow_plain_ws:
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
    monotonic, clock = time.monotonic, process.clock
    metrics, tally, gate = Metrics(), Tally(monotonic), Gate(settings.retry_after_s)
    uplink = Uplink(process.producer, monotonic, metrics.publish_duration())
    remnants = Remnants(REMNANT_RETRY_S)
    connections = Connections(TableParts(settings.slot, uplink, tally, clock, monotonic, remnants))
    changes = RegistryChanges(connections)
    slot = Slot(settings.slot, process.producer, clock, monotonic)
    process.edges.follow(slot.hear)
    watch = KafkaWatch(WatchLimits(settings.stall_s, settings.dark_s))
    credentials = Credentials(monotonic)
    parts = ConnectionParts(
        slot=settings.slot,
        uplink=uplink,
        tally=tally,
        clock=clock,
        stamp=Stamp(clock),
        monotonic=monotonic,
        limits=_limits(settings),
        tracing=process.telemetry.tracing,
        gone=connections.gone,
        there=connections.assert_again,
    )

    def connect(station: Station, socket: Socket) -> Connection:
        return Connection(station, socket, parts)

    def opened(connection: Connection) -> None:
        connections.open(connection)
        changes.review(connection)  # the registry may have changed during the handshake

    server = StationServer(
        ServerParts(
            host=settings.host,
            port=settings.port,
            max_frame_bytes=settings.max_frame_bytes,
            doorman=Doorman(gate, changes.registry, credentials, lambda: len(connections) >= settings.max_connections),
            connect=connect,
            opened=opened,
            tally=tally,
        )
    )
    edge = Edge(
        slot=slot,
        connections=connections,
        server=server,
        sweep=Sweep(connections, remnants, watch, Heap(), monotonic),
        watch=watch,
        gate=gate,
        drainer=Drain(connections, uplink, slot, gate, monotonic, settings.drain_s),
        credentials=credentials,
        monotonic=monotonic,
    )
    darkness = Darkness(watch, connections, uplink, slot, gate, tally, monotonic, settings.spread_s)
    reader = PresenceReader(settings.slot, connections, remnants, monotonic)
    downlink = Downlink(connections, tally, process.edges.kafka_clock, monotonic)
    metrics.export(tally, Levels(lambda: len(connections), lambda: len(changes.registry), lambda: len(uplink)))
    service = Service(
        "edge",
        views=(
            View(REGISTRY, changes.registry.apply, unreadable=changes.registry.refuse),
            View(PRESENCE, reader.apply, PRESENCE_PACE_S, unreadable=reader.fence),
            process.edges.view,
        ),
        tails=(Tail(DOWNLINK, settings.slot, downlink.apply),),
        tasks=(uplink.run, edge.keep_slot, edge.leave_slot, edge.sweep.run, darkness.run),
        start=edge.start,
        drain=edge.drain,
        checks=(edge.check,),
    )
    return Wired(service, edge)


def _limits(settings: EdgeSettings) -> ConnectionLimits:
    return ConnectionLimits(
        link=LinkLimits(
            order_hold_s=settings.order_hold_s,
            forget_call_s=settings.forget_call_s,
            max_open_calls=settings.max_open_calls,
        ),
        ping_after_s=settings.ping_after_s,
        pong_within_s=settings.pong_within_s,
        silent_for_s=settings.silent_for_s,
        unseen_s=settings.unseen_s,
        unacknowledged=settings.max_open_calls,
    )
