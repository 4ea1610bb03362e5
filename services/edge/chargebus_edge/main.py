"""The composition root of the edge."""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from chargebus_events.topics import DOWNLINK, PRESENCE, REGISTRY
from chargebus_runtime.clock import Clock
from chargebus_runtime.process import Process
from chargebus_runtime.service import Service
from chargebus_runtime.view import Tail, View

from chargebus_edge.counts import Counts
from chargebus_edge.door import handshake
from chargebus_edge.door.admission import Admission, AdmissionRules
from chargebus_edge.door.credentials import Credentials
from chargebus_edge.door.forwarded import Forwarding
from chargebus_edge.door.registry import Registry, Terms
from chargebus_edge.door.responders import asking
from chargebus_edge.door.revocation import Revocation, RevocationParts
from chargebus_edge.edge import Edge
from chargebus_edge.log.connections import Connections, TableParts
from chargebus_edge.log.darkness import Darkness
from chargebus_edge.log.downlink import Downlink
from chargebus_edge.log.drain import Drain
from chargebus_edge.log.expiries import Expiries, Watched
from chargebus_edge.log.frames import Stamp
from chargebus_edge.log.kafka_health import HealthLimits, KafkaHealth
from chargebus_edge.log.obstacles import Obstacles
from chargebus_edge.log.personal import sealing_with
from chargebus_edge.log.presence import PresenceReader, Remnants
from chargebus_edge.log.refusals import Refusals
from chargebus_edge.log.slot import Slot
from chargebus_edge.log.stations import Station
from chargebus_edge.log.unspoken import UnspokenStations
from chargebus_edge.log.uplink import Uplink
from chargebus_edge.metrics import Levels, Metrics
from chargebus_edge.rpc.connection import ConnectionParts, OcppConnection
from chargebus_edge.rpc.garbage import FrozenHeap
from chargebus_edge.rpc.limits import ConnectionLimits, ProtocolLimits
from chargebus_edge.rpc.registry_changes import RegistryChanges
from chargebus_edge.rpc.server import Listen, ServerParts, StationServer, shown
from chargebus_edge.rpc.sockets import Socket
from chargebus_edge.rpc.timer import ConnectionTimer
from chargebus_edge.settings import EdgeSettings
from chargebus_edge.tls.acceptor import AcceptorParts, Completed, Failed
from chargebus_edge.tls.context import TlsPolicy
from chargebus_edge.tls.current import CurrentTls, TlsParts
from chargebus_edge.tls.files import TlsFiles
from chargebus_edge.tls.handshakes import HandshakeLimits, Handshakes
from chargebus_edge.tls.revocation_lists import RevocationLists

PRESENCE_PACE_S: Final = 0.02
"""How far the view of presence may lag: a connection has its own epoch from Kafka's acknowledgement, and waits for
nothing here; what is read tells of newer connections elsewhere."""


class NoTransportError(ValueError):
    """The edge is not told by which transport to let stations in; the message says how."""


def build(process: Process) -> Service:
    """Wire the service.

    Raises:
        NoTransportError: neither TLS nor plain WebSockets are switched on.
        TlsFilesError: TLS is, and cannot be spoken with what is in its files.
    """
    settings = process.load(EdgeSettings)
    if not settings.listen.allow_plain_ws and settings.tls.tls_port is None:
        raise NoTransportError(
            "the edge is told no transport: set EDGE_TLS_PORT, EDGE_TLS_CERTIFICATES and EDGE_TLS_KEYS for wss://, or"
            " set EDGE_ALLOW_PLAIN_WS=true for plain ws://"
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
    tls = _tls(settings, clock, counts)
    slot = Slot(settings.slot, process.producer, clock, monotonic, lambda: () if tls is None else tls.usable.issuers)
    process.edges.follow(slot.hear)
    health = KafkaHealth(HealthLimits(settings.kafka.stall_s, settings.kafka.dark_s))
    credentials = Credentials(monotonic)
    registry_view = View(REGISTRY, changes.registry.apply, unreadable=changes.registry.refuse)
    revocation = _revocation(settings, tls, clock, counts)
    admission = Admission(
        obstacles,
        changes.registry,
        credentials,
        crowded=lambda: len(connections) >= listen.max_connections,
        newest=registry_view.catch_up,
        clock=clock,
        rules=AdmissionRules(listen.allow_no_credentials, settings.tls.tls_client_identity),
        revocation=revocation,
    )
    source = f"/edge/{settings.slot}"
    refusals = Refusals(source, clock, uplink.post)
    refusing = _Refusing(counts, refusals, changes.registry)
    speechless = UnspokenStations(settings.slot, clock, uplink.post)
    forwarding = Forwarding(
        settings.proxies.forwarded_from,
        settings.proxies.forwarded_certificate_header,
        lambda: () if tls is None else tls.usable.anchors,
        clock,
    )
    listeners = _listeners(settings, tls, refusing.handshake, _remembering(revocation))
    parts = ConnectionParts(
        slot=settings.slot,
        uplink=uplink,
        counts=counts,
        clock=clock,
        stamp=Stamp(clock),
        seal=sealing_with(process.sealing, clock),
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
            ServerParts(
                listeners,
                listen.max_frame_bytes,
                admission,
                connect,
                opened,
                counts,
                refusing.request,
                lambda station_id, why: speechless.note(station_id, why.version, why.reason),
                forwarding,
                listen.compression,
            )
        ),
        timer=ConnectionTimer(connections, health, FrozenHeap(), monotonic),
        health=health,
        obstacles=obstacles,
        drainer=Drain(connections, uplink, slot, obstacles, monotonic, settings.drain_s),
        credentials=credentials,
        refusals=refusals,
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
            handshakes=lambda: sum(each.accepted.handshakes.under_way for each in listeners if each.accepted),
            expires_in_s=lambda: {} if tls is None else tls.expires_in_s(),
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
        tasks=(
            uplink.run,
            edge.keep_slot,
            edge.leave_slot,
            edge.timer.run,
            darkness.run,
            refusals.run,
            *(() if tls is None else (tls.watch, _expiries(settings, tls, source, clock, uplink).run)),
        ),
        start=edge.start,
        drain=edge.drain,
        checks=(edge.check,),
    )
    return Wired(service, edge)


def _tls(settings: EdgeSettings, clock: Clock, counts: Counts) -> CurrentTls | None:
    tls = settings.tls
    if tls.tls_port is None and not tls.tls_client_ca:
        return None

    def reloaded(result: str) -> None:
        counts.tls_reloads[result] += 1

    files = TlsFiles(
        tls.tls_certificates, tls.tls_keys, tls.tls_client_ca, tls.tls_crls, serves=tls.tls_port is not None
    )
    return CurrentTls(TlsParts(files, TlsPolicy(tls.tls_minimum, tls.tls_ciphers), tls.tls_look_s, clock, reloaded))


@dataclass(frozen=True)
class _Refusing:
    """Counts a refused connection, and has it told."""

    counts: Counts
    refusals: Refusals
    registry: Registry

    def handshake(self, reason: str, host: str, more: str) -> None:
        """Take one that said nothing over HTTP yet."""
        self.counts.refuse_handshake(reason, f"{host} {more}".strip())
        self.refusals.note(reason, "", host)

    def request(self, reason: str, target: str, address: str) -> None:
        """Take one that asked for a station's WebSocket."""
        self.counts.refuse_handshake(reason, f"{target} from {address}")
        named = handshake.identity(target) or ""
        self.refusals.note(reason, named if self.registry.knows(named) else "", address.rpartition(":")[0])


def _expiries(settings: EdgeSettings, tls: CurrentTls, source: str, clock: Clock, uplink: Uplink) -> Expiries:
    def used() -> list[Watched]:
        return [
            Watched(
                each.fingerprint,
                "server" if each.serves else "client authority",
                each.subject,
                each.certificate.issuer.rfc4514_string(),
                f"{each.certificate.serial_number:x}",
                each.at,
            )
            for each in tls.usable.expiries
        ]

    return Expiries(used, timedelta(days=settings.tls.tls_expiry_days), source, clock, uplink.post)


def _revocation(settings: EdgeSettings, tls: CurrentTls | None, clock: Clock, counts: Counts) -> Revocation:
    asked = settings.tls
    return Revocation(
        RevocationParts(
            asked.tls_revocation,
            anchors=lambda: () if tls is None else tls.usable.anchors,
            lists=lambda: RevocationLists() if tls is None else tls.usable.lists,
            ask=asking(asked.tls_ocsp_networks) if tls is not None and asked.tls_ocsp else None,
            clock=clock,
            counts=counts,
        )
    )


def _remembering(revocation: Revocation) -> Completed:
    def completed(transport: asyncio.BaseTransport) -> None:
        certificate = shown(transport)
        if certificate is not None:
            revocation.remember(certificate)

    return completed


def _listeners(
    settings: EdgeSettings, tls: CurrentTls | None, failed: Failed, completed: Completed
) -> tuple[Listen, ...]:
    """Return where stations connect; where no proxy says for whom it comes, the loop accepts those without TLS."""
    listen, asked, trusted = settings.listen, settings.tls, settings.proxies.proxy_protocol_from
    limits = HandshakeLimits(asked.tls_handshakes, asked.tls_handshakes_per_address, asked.tls_handshake_s)

    def accepted(context: Callable[[], ssl.SSLContext] | None) -> AcceptorParts:
        return AcceptorParts(Handshakes(limits), failed, context, trusted, completed if context else None)

    listeners: list[Listen] = []
    if listen.allow_plain_ws:
        listeners.append(Listen(listen.host, listen.port, accepted=accepted(None) if trusted else None))
    if tls is not None and asked.tls_port is not None:
        listeners.append(Listen(listen.host, asked.tls_port, "EDGE_TLS_PORT", accepted(lambda: tls.context)))
    return tuple(listeners)


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
