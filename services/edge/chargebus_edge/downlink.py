"""What comes down to this edge: answers to calls, and commands to send."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, cast, get_args

import msgspec
from chargebus_events.commands import COMMAND
from chargebus_events.frames import ANSWER, ERROR, RpcError
from chargebus_events.record import Received
from chargebus_events.registry import Registration
from chargebus_runtime.clock import Clock

from chargebus_edge.connections import Connections
from chargebus_edge.link import Answer
from chargebus_edge.outputs import StationCommand
from chargebus_edge.tally import Tally

log = logging.getLogger(__name__)

_read_error = msgspec.json.Decoder(RpcError).decode
_REGISTRATIONS: Final[Mapping[bytes, Registration]] = {
    status.encode(): cast(Registration, status) for status in get_args(Registration)
}
_ANSWER, _ERROR, _COMMAND = ANSWER.encode(), ERROR.encode(), COMMAND.encode()


class Downlink:
    """Hands the records of one slot's partition to their connections."""

    def __init__(self, connections: Connections, tally: Tally, clock: Clock) -> None:
        self._connections = connections
        self._tally = tally
        self._clock = clock

    def apply(self, records: list[Received]) -> None:
        """Take records, in order; one that cannot be read is counted and skipped."""
        for record in records:
            try:
                self._take(record)
            except (KeyError, ValueError, msgspec.MsgspecError) as error:
                self._tally.events["unreadable_downlink"] += 1
                log.error("unreadable downlink record for %r at offset %d: %r", record.key, record.offset, error)

    def _take(self, record: Received) -> None:
        headers = record.headers
        kind = headers["ce_type"]
        epoch = int(headers["ocpp_epoch"])
        if kind == _ANSWER:
            self._answer(record, epoch, record.value or b"{}")
        elif kind == _ERROR:
            self._answer(record, epoch, _read_error(record.value or b""))
        elif kind == _COMMAND:
            self._command(record, epoch)
        else:
            raise ValueError(kind)

    def _answer(self, record: Received, epoch: int, answer: Answer) -> None:
        connection = self._connections.find(record.key, epoch)
        if connection is None:
            self._tally.events["late_answer"] += 1  # the station will ask again on its new connection
            return
        headers = record.headers
        registration = headers.get("registration")
        status = None if registration is None else _REGISTRATIONS[registration]
        connection.answer(int(headers["ocpp_number"]), answer, status)

    def _command(self, record: Received, epoch: int) -> None:
        headers = record.headers
        command = StationCommand(
            command_id=record.text("ce_id"),
            action=record.text("ocpp_action"),
            payload=record.value or b"{}",
            timeout_s=float(headers["timeout_s"]),
            sent_at=datetime.fromisoformat(record.text("ce_time")),
        )
        connection = self._connections.find(record.key, epoch)
        if connection is not None and self._is_late(command):
            connection.refuse(command, "it came too late")
        else:
            self._connections.command(record.key, epoch, command)

    def _is_late(self, command: StationCommand) -> bool:
        # Whoever sent it no longer waits: a remote start must not fire then.
        return self._clock() - command.sent_at > timedelta(seconds=command.timeout_s)
