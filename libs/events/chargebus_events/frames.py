"""Frames on Kafka: a station's CALL or SEND going up, the answer to it coming down.

The value is the OCPP payload as it was sent, without secret settings, and sealed where it tells of people; everything
else is in the headers.
"""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from chargebus_events.record import Envelope, Received, Record
from chargebus_events.topics import DOWNLINK

CALL = "chargebus.ocpp.call.v1"
SEND = "chargebus.ocpp.send.v1"
ANSWER = "chargebus.ocpp.answer.v1"
ERROR = "chargebus.ocpp.error.v1"

_CALL = CALL.encode()

DEVIATIONS_HEADER = "ocpp_deviations"
"""On a frame that breaks its schema but is understood: in what ways, as libs/ocppj writes it; no header: in none."""
CONTRACT_HEADER = "ocpp_contract"
"""On an Authorize that comes back from whoever checked its contract certificate: a `ContractCheck`."""
REFUSED_HEADER = "ocpp_refused"
"""On a frame that its edge refused with a CALLERROR, and keeps as it was about a transaction: an `RpcError`."""


class Frame(msgspec.Struct, frozen=True):
    """A CALL or SEND from a station, as the edge put it on Kafka.

    `epoch` names the connection, `number` counts the connection's frames from 1: together they address the answer.
    `version` is `1.6`, `2.0.1` or `2.1`; `payload` is raw JSON, valid against the version's schema but for `deviations`
    (as libs/ocppj writes them; nearly always empty); `received_at` is when the edge had it. `contract` is a
    `ContractCheck` where somebody has checked the contract certificate in it.
    """

    station_id: str
    version: str
    action: str
    message_id: str
    slot: int
    epoch: int
    number: int
    payload: bytes
    received_at: datetime
    expects_answer: bool = True
    deviations: bytes = b""
    contract: bytes = b""

    @property
    def id(self) -> str:
        """The CloudEvents id: unique for each frame that ever reached an edge."""
        return f"{self.station_id}/{self.epoch}/{self.number}"

    def record(self, topic: str, *more: tuple[str, bytes]) -> Record:
        """Return the frame as a record for `topic`; `more` headers (tracing) go last."""
        envelope = Envelope(
            id=self.id,
            type=CALL if self.expects_answer else SEND,
            source=f"/edge/{self.slot}",
            subject=self.station_id,
            time=self.received_at,
        )
        return Record(
            topic,
            self.station_id,
            self.payload,
            envelope.headers(
                ("ocpp_version", self.version.encode()),
                ("ocpp_action", self.action.encode()),
                ("ocpp_message_id", self.message_id.encode()),
                ("ocpp_slot", b"%d" % self.slot),
                ("ocpp_epoch", b"%d" % self.epoch),
                ("ocpp_number", b"%d" % self.number),
                *(((DEVIATIONS_HEADER, self.deviations),) if self.deviations else ()),
                *more,
            ),
        )

    @classmethod
    def read(cls, record: Received) -> "Frame":
        """Read a frame back from its record.

        Raises:
            KeyError, ValueError: a header is missing or malformed; the record is not a frame.
        """
        headers = record.headers
        return cls(
            station_id=record.key,
            version=headers["ocpp_version"].decode(),
            action=headers["ocpp_action"].decode(),
            message_id=headers["ocpp_message_id"].decode(),
            slot=int(headers["ocpp_slot"]),
            epoch=int(headers["ocpp_epoch"]),
            number=int(headers["ocpp_number"]),
            payload=record.value or b"{}",
            received_at=_time(headers["ce_time"]),
            expects_answer=headers["ce_type"] == _CALL,
            deviations=headers.get(DEVIATIONS_HEADER, b""),
            contract=headers.get(CONTRACT_HEADER, b""),
        )

    def answer(self, payload: bytes, source: str, now: datetime, *more: tuple[str, bytes]) -> Record:
        """Return the CALLRESULT to this frame; `payload` is compact JSON, `more` headers travel along."""
        return self._down(ANSWER, payload, source, now, more)

    def error(self, code: str, description: str, source: str, now: datetime) -> Record:
        """Return the CALLERROR to this frame; `code` is an RPC error code of the frame's version."""
        return self._down(ERROR, msgspec.json.encode(RpcError(code, description)), source, now, ())

    def _down(self, kind: str, value: bytes, source: str, now: datetime, more: tuple[tuple[str, bytes], ...]) -> Record:
        envelope = Envelope(id=f"answer/{self.id}", type=kind, source=source, subject=self.station_id, time=now)
        headers = envelope.headers(("ocpp_epoch", b"%d" % self.epoch), ("ocpp_number", b"%d" % self.number), *more)
        return Record(DOWNLINK, self.station_id, value, headers, partition=self.slot)


@lru_cache(maxsize=1024)
def _time(header: bytes) -> datetime:
    """Return the time in a header; frames that come together have few."""
    return datetime.fromisoformat(header.decode()).astimezone(UTC)


class ContractCheck(msgspec.Struct, frozen=True):
    """What was found of a contract certificate: a word of OCPP's AuthorizeCertificateStatusEnumType, and why."""

    status: str
    why: str = ""


class RpcError(msgspec.Struct, frozen=True):
    """What a CALLERROR says; `details` is a JSON object."""

    code: str
    description: str = ""
    details: msgspec.Raw = msgspec.Raw(b"{}")
