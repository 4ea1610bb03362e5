"""What TLS costs the edge: memory of a connection, and CPU of a handshake, whole or resumed."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import thread_time
from typing import Final
from urllib.parse import urlsplit

import msgspec
from chargebus_testkit.tls_edge import TlsEdge

from chargebus_bench.bed import EDGE, WARM_UP_STATIONS, Bed
from chargebus_bench.station import Station
from chargebus_bench.system_bed import SystemBed, meter_of
from chargebus_bench.usage import since

KIB_ALLOWED: Final = 45
HANDSHAKES_ALLOWED: Final = 1000
"""What a connection may weigh, and how many handshakes one core has to make in a second."""

_HANDSHAKES: Final = 1000
_AT_ONCE: Final = 16
_KIB: Final = 1024


class TlsFigures(msgspec.Struct, frozen=True):
    """Memory by connection, and how many one core of the edge makes in a second.

    Attributes:
        connections: how many were weighed.
        kib_per_connection: what one adds to the edge, idle.
        handshakes: of TLS 1.3 with an ECDSA certificate (P-256), and nothing after it.
        client_certificates: such in which the client shows a certificate.
        resumed: of sessions (TLS 1.2).
        stations: connected: handshake, WebSocket, password, and told to Kafka.
        bare: handshakes as `handshakes`, of OpenSSL alone, measured in the same minute: what a machine that others
            share is worth.
    """

    connections: int
    kib_per_connection: float
    handshakes: float
    client_certificates: float
    resumed: float
    stations: float
    bare: float


async def tls_figures(bed: SystemBed) -> TlsFigures:
    """Measure TLS on the edge of a bed, which is started anew; its stations are left disconnected.

    What an edge has let go of would be taken for the next connections, and these would seem to weigh less.
    """
    await bed.leave()
    edge, tls = bed.system[EDGE], bed.tls
    await edge.stop()
    await edge.start()
    bed = replace(bed, meter=meter_of(bed.system))
    await _connect(bed.stations[:WARM_UP_STATIONS], tls)
    await bed.leave()
    without = bed.meter.rss_bytes(EDGE)
    connected = await _spent(bed, _connect(bed.stations, tls))
    weighed = bed.meter.rss_bytes(EDGE) - without
    await bed.leave()
    plain, shown, old = tls.trusting().context(), tls.station("BENCH").context(), tls.trusting().context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    session = _shake(tls.url, old, None)
    return TlsFigures(
        connections=len(bed.stations),
        kib_per_connection=round(weighed / len(bed.stations) / _KIB, 1),
        handshakes=round(_HANDSHAKES / await _spent(bed, _shake_many(tls.url, plain, None))),
        client_certificates=round(_HANDSHAKES / await _spent(bed, _shake_many(tls.url, shown, None))),
        resumed=round(_HANDSHAKES / await _spent(bed, _shake_many(tls.url, old, session))),
        stations=round(len(bed.stations) / connected),
        bare=round(1 / _bare_s(tls)),
    )


def tls_line(figures: TlsFigures) -> str:
    """Return what TLS costs, and how much of what it may that is."""
    return (
        f"{figures.connections} idle connections with TLS: {figures.kib_per_connection} KiB each in the edge"
        f" ({figures.kib_per_connection / KIB_ALLOWED:.2f} of what one may weigh); one core of it makes"
        f" {figures.handshakes:,.0f} handshakes/s ({figures.handshakes / HANDSHAKES_ALLOWED:.2f} of what it has to),"
        f" {figures.client_certificates:,.0f} with client certificates, {figures.resumed:,.0f} resumed;"
        f" connects {figures.stations:,.0f} stations/s; OpenSSL alone makes {figures.bare:,.0f} handshakes/s"
    )


async def _connect(stations: Sequence[Station], tls: TlsEdge) -> None:
    context = tls.trusting().context()
    waiting = iter(stations)

    async def connect_next() -> None:
        for station in waiting:
            await station.connect(tls.url, context)

    await asyncio.gather(*(connect_next() for _ in range(_AT_ONCE)))


async def _spent(bed: Bed, work: Awaitable[object]) -> float:
    """Return the CPU seconds of the edge that work costs, until all is worked off."""
    before = bed.meter.cpu_s()
    await work
    await bed.meter.quiet()
    return since(before, bed.meter.cpu_s())[EDGE]


async def _shake_many(url: str, context: ssl.SSLContext, session: ssl.SSLSession | None) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        shaking = (loop.run_in_executor(threads, _shake, url, context, session) for _ in range(_HANDSHAKES))
        await asyncio.gather(*shaking)


def _shake(url: str, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    """Make a handshake, and wait for the edge's side of it: what it says to a request that is none."""
    where = urlsplit(url)
    with (
        socket.create_connection(("127.0.0.1", where.port or 0)) as plain,
        context.wrap_socket(plain, server_hostname=where.hostname, session=session) as spoken,
    ):
        if session is not None and not spoken.session_reused:
            raise ConnectionError("the session was not resumed")
        return spoken.session


def _bare_s(tls: TlsEdge) -> float:
    """Return the CPU seconds of the server's side of a handshake, without a socket and a loop."""
    server, client = tls.server_context(), tls.trusting().context()
    spent = 0.0
    for _ in range(_HANDSHAKES):
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        calling = client.wrap_bio(to_client, to_server, server_hostname="localhost")
        began = thread_time()
        answering = server.wrap_bio(to_server, to_client, server_side=True)
        spent += thread_time() - began
        _step(calling)
        for _ in range(2):
            began = thread_time()
            _step(answering)
            spent += thread_time() - began
            _step(calling)
    return spent / _HANDSHAKES


def _step(spoken: ssl.SSLObject) -> None:
    with contextlib.suppress(ssl.SSLWantReadError):
        spoken.do_handshake()
