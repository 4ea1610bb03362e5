"""What comes down to this edge: answers to calls, and commands to send."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from math import inf
from typing import Final, NamedTuple, cast, get_args

import msgspec
from chargebus_events.commands import COMMAND
from chargebus_events.frames import ANSWER, ERROR, RpcError
from chargebus_events.record import Received
from chargebus_events.registry import Registration
from chargebus_ocppj.secrets import STANDARD, Secrets
from chargebus_runtime.kafka_clock import KafkaClock

from chargebus_edge.counts import Counts
from chargebus_edge.log.commands import StationCommand
from chargebus_edge.log.connections import AnyConnections
from chargebus_edge.log.frames import Answer

log = logging.getLogger(__name__)

_read_names = msgspec.json.Decoder(tuple[str, ...]).decode
_read_error = msgspec.json.Decoder(RpcError).decode
_REGISTRATIONS: Final[Mapping[bytes, Registration]] = {
    status.encode(): cast(Registration, status) for status in get_args(Registration)
}
_ANSWER, _ERROR, _COMMAND = ANSWER.encode(), ERROR.encode(), COMMAND.encode()
_LONGEST_S: Final = 24 * 3600.0
_UNREADABLE = (ArithmeticError, KeyError, TypeError, ValueError, msgspec.MsgspecError)


class _AnswerRecord(NamedTuple):
    epoch: int
    number: int
    answer: Answer
    registration: Registration | None


class _CommandRecord(NamedTuple):
    epoch: int
    command: StationCommand


class _Moment(NamedTuple):
    """A moment on Kafka's clock, which commands name times by, and on the monotonic one that connections go by."""

    at: datetime
    now: float

    def monotonic(self, at: datetime) -> float:
        return self.now + (at - self.at).total_seconds()


class Downlink:
    """Hands the records of one slot's partition to their connections."""

    def __init__(
        self, connections: AnyConnections, counts: Counts, kafka_clock: KafkaClock, monotonic: Callable[[], float]
    ) -> None:
        self._connections = connections
        self._tally = counts
        self._kafka_clock = kafka_clock
        self._monotonic = monotonic

    def apply(self, records: list[Received]) -> None:
        """Take records, in order; one that cannot be read is counted and skipped."""
        moment = _Moment(self._kafka_clock.now(), self._monotonic())
        for record in records:
            try:
                content = _read(record, moment)
            except _UNREADABLE as error:
                self._tally.events["unreadable_downlink"] += 1
                log.error("unreadable downlink record for %r at offset %d: %r", record.key, record.offset, error)
                continue
            if isinstance(content, _AnswerRecord):
                self._answer(record.key, content)
            else:
                self._connections.command(record.key, content.epoch, content.command)

    def _answer(self, station_id: str, content: _AnswerRecord) -> None:
        connection = self._connections.find(station_id, content.epoch)
        if connection is None:
            self._tally.events["late_answer"] += 1  # the station will ask again on its new connection
        else:
            connection.answer(content.number, content.answer, content.registration)


def _read(record: Received, moment: _Moment) -> _AnswerRecord | _CommandRecord:
    kind = record.headers["ce_type"]
    epoch = int(record.headers["ocpp_epoch"])
    if kind == _COMMAND:
        return _CommandRecord(epoch, _read_command(record, moment))
    if kind == _ANSWER:
        answer: Answer = record.value or b"{}"
    elif kind == _ERROR:
        answer = _read_error(record.value or b"")
    else:
        raise ValueError(kind)
    registration = record.headers.get("registration")
    status = None if registration is None else _REGISTRATIONS[registration]
    return _AnswerRecord(epoch, int(record.headers["ocpp_number"]), answer, status)


def _read_command(record: Received, moment: _Moment) -> StationCommand:
    timeout_s = float(record.headers["timeout_s"])
    if not 0 < timeout_s <= _LONGEST_S:
        raise ValueError(timeout_s)
    sent_at = _time(record.text("ce_time"))
    # Past either, nobody waits for it any more: a remote start must not fire then.
    answer_due = moment.monotonic(sent_at) + timeout_s
    expires_at = record.text("expires_at")
    expires = moment.monotonic(_time(expires_at)) if expires_at else inf
    return StationCommand(
        command_id=record.text("ce_id"),
        action=record.text("ocpp_action"),
        payload=record.value or b"{}",
        timeout_s=timeout_s,
        sent_at=sent_at,
        write_until=min(answer_due, expires),
        answer_due=answer_due,
        secrets=_secrets(record),
    )


def _secrets(record: Received) -> Secrets:
    names = record.headers.get("secret_names")
    return STANDARD if names is None else _table_with(names)


@lru_cache(maxsize=4)
def _table_with(names: bytes) -> Secrets:
    return Secrets.of(_read_names(names))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
