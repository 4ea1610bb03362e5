"""Messages are compressed for stations that offer it, each by itself, and none is inflated beyond what is taken."""

import base64
import json
import zlib
from types import SimpleNamespace

import pytest
from chargebus_edge.rpc import compression
from chargebus_edge.rpc.compression import HEAD_BYTES, WORTH_BYTES
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode

PASSWORD = "0123456789abcdef0123456789abcdef01234567"
MOST = 20_000
DEFLATE = ClientPerMessageDeflateFactory(client_max_window_bits=True)
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
FLUSHED = b"\x00\x00\xff\xff"
EMPTY_BLOCK = b"\x00" + FLUSHED
VENDOR = {"vendorId": "acme"}


@pytest.fixture
async def small(run_edge):
    """Run an edge that takes messages of up to 20,000 bytes."""
    async with run_edge(max_frame_bytes=MOST) as edge:
        edge.register("CP1")
        yield edge


async def compressing(edge, offer=DEFLATE):
    return await edge.connect("CP1", extensions=[offer])


def agreed(socket):
    return socket.response.headers.get("Sec-WebSocket-Extensions", "")


def call(message_id, action, **payload):
    return json.dumps([2, message_id, action, payload], separators=(",", ":"))


def server_sockets(edge):
    return list(next(iter(edge.edge.server._servers.values())).connections)


def last_block(text):
    """Return a text compressed into blocks of which the last one says so."""
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(text.encode()) + squeeze.flush(zlib.Z_FINISH)


def deflated(data):
    squeeze = zlib.compressobj(wbits=-15, level=9)
    return (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH)).removesuffix(FLUSHED)


def write(socket, opcode, data, *, fin=True, rsv1=True):
    """Write a frame that is compressed already."""
    frame = bytearray(Frame(opcode, data, fin=fin).serialize(mask=True))
    frame[0] |= 0x40 if rsv1 else 0
    socket.transport.write(bytes(frame))


async def heartbeat(socket):
    await socket.send(call("hb", "Heartbeat"))
    return json.loads(await socket.recv())[0] == 3


async def refused(socket, message_id):
    """Return why the message was refused, on a socket that stays."""
    kind, refused_id, _, why, *_ = json.loads(await socket.recv())
    assert (kind, refused_id) == (4, message_id)
    assert await heartbeat(socket)
    return why


async def test_no_context_is_kept_whatever_a_station_offers(edge):
    socket = await compressing(edge)
    assert "server_no_context_takeover" in agreed(socket)
    assert "client_no_context_takeover" in agreed(socket)
    (deflate,) = server_sockets(edge)[0].protocol.extensions
    assert await heartbeat(socket)
    assert not hasattr(deflate, "encoder")
    assert not hasattr(deflate, "decoder")


async def test_compressed_calls_are_answered_and_counted(edge):
    socket = await compressing(edge)
    for number in range(3):
        await socket.send(call(f"m{number}", "StatusNotification", **STATUS, info="x" * 50))
        assert json.loads(await socket.recv()) == [3, f"m{number}", {}]
    compressed = edge.edge.server._parts.counts.compressed
    assert 0 < compressed["received", "wire"] < compressed["received", "plain"]


async def test_a_large_answer_is_compressed_and_a_small_one_is_not(edge):
    socket = await compressing(edge)
    await socket.send(call("i" * 36, "StatusNotification", **STATUS))
    await socket.recv()
    compressed = edge.edge.server._parts.counts.compressed
    assert compressed["sent", "wire"] == 0
    await socket.send(call("m2", "Q" * WORTH_BYTES))  # what is wrong is said with its name in it
    assert json.loads(await socket.recv())[2] == "NotImplemented"
    assert 0 < compressed["sent", "wire"] < compressed["sent", "plain"]


@pytest.mark.parametrize("extra", [0, 1, 100])
async def test_a_message_counts_by_its_plain_size(small, extra):
    socket = await compressing(small)
    bare = len(call("m1", "DataTransfer", **VENDOR, data=""))
    text = call("m1", "DataTransfer", **VENDOR, data="x" * (MOST - bare + extra))
    await socket.send(text)
    if extra:
        assert "more than is taken" in await refused(socket, "m1")
    else:
        (frame,) = await small.published("device", 1)
        assert len(json.loads(frame.value)["data"]) == MOST - bare


async def test_a_message_as_large_as_what_is_kept_of_one_is_taken(small):
    socket = await compressing(small)
    bare = len(call("m1", "DataTransfer", **VENDOR, data=""))
    for number in range(2):
        await socket.send(call(f"m{number}", "DataTransfer", **VENDOR, data="x" * (HEAD_BYTES - bare)))
    for frame in await small.published("device", 2):
        assert len(json.loads(frame.value)["data"]) == HEAD_BYTES - bare


async def test_a_bomb_is_inflated_to_the_limit_and_refused(small, monkeypatch):
    """1 GB in 1 MB is what deflate can do: here, 50 MB in 50 kB and in 16 fragments."""
    bomb = deflated(call("bomb", "DataTransfer", **VENDOR, data="x" * 50_000_000).encode())
    inflated = []

    class Counting:
        def __init__(self, **options):
            self.real = zlib.decompressobj(**options)

        def decompress(self, data, most):
            inflated.append(len(plain := self.real.decompress(data, most)))
            return plain

        @property
        def unused_data(self):
            return self.real.unused_data

    socket = await compressing(small)
    monkeypatch.setattr(compression, "zlib", SimpleNamespace(decompressobj=Counting, error=zlib.error))
    write(socket, Opcode.TEXT, bomb)
    assert "more than is taken" in await refused(socket, "bomb")
    parts = [bomb[at : at + 4000] for at in range(0, len(bomb), 4000)]
    for number, part in enumerate(parts):
        first, last = number == 0, number == len(parts) - 1
        write(socket, Opcode.TEXT if first else Opcode.CONT, part, fin=last, rsv1=first)
    assert "more than is taken" in await refused(socket, "bomb")
    assert MOST < max(inflated) <= MOST + 1
    assert sum(inflated) < 3 * MOST


async def test_of_a_message_that_is_seen_to_be_too_large_only_the_beginning_is_kept_until_its_end(small):
    socket = await compressing(small)
    bomb = deflated(call("bomb", "DataTransfer", **VENDOR, data="x" * 1_000_000).encode())
    write(socket, Opcode.TEXT, bomb, fin=False)
    await (await socket.ping())
    (taking,) = server_sockets(small)
    assert len(taking._message) == HEAD_BYTES
    write(socket, Opcode.CONT, b"", rsv1=False)
    assert "more than is taken" in await refused(socket, "bomb")


@pytest.mark.parametrize("ends", [[b"\x00"], [b""], [b"", b""], [b"", b"\x00"], [b"\x00", b""]])
async def test_a_message_may_say_which_block_is_its_last(edge, ends):
    """RFC 7692 7.2.3.4"""
    socket = await compressing(edge)
    first, *others = ends
    for _ in range(2):
        write(socket, Opcode.TEXT, last_block(call("hb", "Heartbeat")) + first, fin=not others)
        for end in others:
            write(socket, Opcode.CONT, end, rsv1=False)
        assert json.loads(await socket.recv())[:2] == [3, "hb"]


async def closed_with(socket):
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    return closed.value.rcvd.code


async def test_what_is_no_compressed_message_ends_the_connection(edge):
    socket = await compressing(edge)
    write(socket, Opcode.TEXT, b"\xff\xff\xff")
    assert await closed_with(socket) == 1002


async def test_what_follows_the_last_block_of_a_message_ends_the_connection(edge):
    """Nothing would count it, for it inflates to nothing."""
    socket = await compressing(edge)
    write(socket, Opcode.TEXT, last_block("[2,"), fin=False)
    write(socket, Opcode.CONT, b"\x00" * 100, fin=False, rsv1=False)
    assert await closed_with(socket) == 1002


@pytest.mark.parametrize("first", ["[2,", "x" * 1_000_000])
async def test_frames_that_add_nothing_to_a_message_are_endless_all_the_same(small, monkeypatch, first):
    monkeypatch.setattr(compression, "ENDLESS_BYTES", 3 * MOST)
    socket = await compressing(small)
    write(socket, Opcode.TEXT, deflated(first.encode()) + FLUSHED, fin=False)
    for _ in range(4):
        write(socket, Opcode.CONT, EMPTY_BLOCK * (MOST // len(EMPTY_BLOCK)), fin=False, rsv1=False)
    assert await closed_with(socket) == 1009


async def test_fragments_are_put_together(edge):
    socket = await compressing(edge)
    await socket.send(['[2,"hb",', '"Heart', 'beat",{}]'])
    assert json.loads(await socket.recv())[:2] == [3, "hb"]


@pytest.mark.parametrize("header", ["permessage-deflate; strange=1", "permessage-deflate; =", "bzip2"])
async def test_an_offer_that_cannot_be_taken_connects_without(edge, header):
    authorization = "Basic " + base64.b64encode(f"CP1:{PASSWORD}".encode()).decode()
    headers = {"Sec-WebSocket-Extensions": header, "Authorization": authorization}
    socket = await edge.connect("CP1", additional_headers=headers)
    assert agreed(socket) == ""
    assert await heartbeat(socket)


async def test_nothing_is_compressed_for_a_station_that_does_not_offer_it(edge):
    socket = await edge.connect("CP1")
    assert agreed(socket) == ""


async def test_nothing_is_compressed_where_it_is_switched_off(run_edge):
    async with run_edge(compression=False) as edge:
        edge.register("CP1")
        socket = await compressing(edge)
        assert agreed(socket) == ""
        assert await heartbeat(socket)
