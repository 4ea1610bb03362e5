"""One connection's end, as whoever makes the calls learns of it."""

from chargebus_station.csms_socket import CsmsSocket, Outgoing, Response
from chargebus_station.effects import Message
from chargebus_station.faults import Faults
from chargebus_station.rpc import NoAnswer, Rpc, Why
from websockets.exceptions import ConnectionClosedError


class DeadSocket:
    """A socket that is gone, and whose reader has not been told yet."""

    async def send(self, text):
        raise ConnectionClosedError(None, None)


async def test_a_line_is_open_no_more_once_nothing_can_be_written():
    """Else the sender, which never waits while there is something to send, would try for ever."""
    csms_socket = CsmsSocket(DeadSocket(), Rpc("1.6"), Faults(), lambda received: Response())

    outcome = await csms_socket.call(Outgoing(Message("Heartbeat", {}), "1"), timeout_s=1.0)

    assert outcome == NoAnswer(Why.CONNECTION_LOST)
    assert not csms_socket.open
