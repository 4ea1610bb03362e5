"""What we take from inside websockets is there in the release that is installed, and taken in one module only."""

import inspect
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

from chargebus_edge.rpc.websocket import StationSocket
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame
from websockets.protocol import Protocol, State
from websockets.streams import StreamReader

SERVICE = Path(__file__).parents[1]
INSIDE = re.compile(
    r"\.protocol\.(?:state|send|eof|parser|subprotocol)|\bsend_data\(|process_event|websockets\.protocol"
)


def test_the_installed_websockets_is_one_that_this_was_tried_with():
    dependencies = tomllib.loads((SERVICE / "pyproject.toml").read_text())["project"]["dependencies"]
    (declared,) = (line for line in dependencies if line.startswith("websockets"))
    oldest, newest = re.fullmatch(r"websockets>=(\d+)\.\d+,<(\d+)", declared).groups()
    assert int(oldest) <= int(version("websockets").split(".")[0]) < int(newest)


def test_the_methods_that_we_override_are_called_as_before():
    for name, parameters in (
        ("data_received", ["self", "data"]),
        ("process_event", ["self", "event"]),
        ("connection_lost", ["self", "exc"]),
    ):
        assert name in StationSocket.__dict__
        assert list(inspect.signature(getattr(ServerConnection, name)).parameters) == parameters


def test_what_we_call_inside_is_there():
    for name in ("send_text", "send_ping", "send_close"):
        assert callable(getattr(Protocol, name))
    assert callable(Connection.send_data)
    source = inspect.getsource(Protocol) + inspect.getsource(Connection.__init__) + inspect.getsource(ServerConnection)
    for name in ("self.state", "self.subprotocol", "self.parser_exc", "self.eof_sent", "self.paused", "self.protocol"):
        assert name in source
    assert State.OPEN


def test_payloads_are_read_as_we_bound_them():
    assert list(inspect.signature(StreamReader.read_exact).parameters) == ["self", "n"]
    reader = StreamReader()
    assert (reader.buffer, reader.eof, hasattr(StreamReader, "__slots__")) == (bytearray(), False, False)
    parse = inspect.getsource(Protocol.parse)
    assert "self.reader.read_exact" in parse
    assert "self.max_message_size" in parse
    assert "PayloadTooBig" in parse
    assert "read_exact(length)" in inspect.getsource(Frame.parse)


def test_it_is_taken_in_one_module_only():
    taking = {
        path.relative_to(SERVICE).as_posix()
        for path in SERVICE.glob("chargebus_edge/**/*.py")
        if INSIDE.search(path.read_text(encoding="utf-8"))
    }
    assert taking == {"chargebus_edge/rpc/websocket.py"}
