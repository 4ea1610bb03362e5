"""OCPP 1.6: StartTransaction and StopTransaction as the domain sees them.

A transaction has two events here, numbered 0 and 1; connector n is EVSE n with connector 1 (connector 0: the station).
"""

from typing import Final

from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_session import payload
from chargebus_session.payload import AnswerPayload
from chargebus_session.tokens.domain import id_token
from chargebus_session.tokens.v16 import IdTagAnswer, IdTagInfo, id_tag_info, read_token
from chargebus_session.transactions.domain.events import BEGIN, END, Event, Sample
from chargebus_session.transactions.domain.sessions import Reference, Report, issued
from chargebus_session.transactions.domain.state import Recorded
from chargebus_session.transactions.payload import Whole, fingerprint, moment, moment_text

VERSION: Final = "1.6"


class _StartTransaction(Payload, frozen=True):
    connector_id: Whole
    id_tag: str
    meter_start: float
    timestamp: str


class _StopTransaction(Payload, frozen=True):
    transaction_id: Whole
    meter_stop: float
    timestamp: str
    id_tag: str = ""
    reason: str = ""


class _StartAnswer(AnswerPayload, frozen=True):
    id_tag_info: IdTagInfo
    transaction_id: int


_read_start = reader(_StartTransaction)
_read_stop = reader(_StopTransaction)


def start_transaction(frame: Frame) -> Report:
    """Read a StartTransaction request.

    Its identity is what the station says of it: a resent one has another message id and the same content.
    """
    request = _read_start(frame.payload)
    at, flags = moment(request.timestamp, frame.received_at)
    token = read_token(request.id_tag)
    when = moment_text(request.timestamp)
    start = f"{request.connector_id}/{when}/{token.key}/{request.meter_start:.15g}"
    event = Event(
        number=0,
        kind="Started",
        at=at,
        received_at=frame.received_at,
        token=token,
        starts=True,
        evse_id=request.connector_id,
        connector_id=min(request.connector_id, 1),
        samples=(Sample(at, request.meter_start, BEGIN, "Outlet", 0),),
        flags=flags,
        content=fingerprint(start),
    )
    return Report(frame.station_id, VERSION, Reference(start=start), event)


def transaction_started(_report: Report, recorded: Recorded) -> bytes:
    """Answer a StartTransaction request: always with an id, whatever became of the token.

    Spec: OCPP 1.6 4.8
    """
    info = id_tag_info(recorded.judgement) if recorded.judgement else IdTagInfo(status="Invalid")
    return payload.encode(_StartAnswer(info, int(recorded.session.transaction_id)))


def stop_transaction(frame: Frame) -> Report:
    """Read a StopTransaction request.

    Its content is what it settles: stations leave out transactionData when it was too long the first time.

    Spec: OCPP 1.6 4.10 (no reason means Local, no idTag that the station stopped by itself)
    """
    request = _read_stop(frame.payload)
    at, flags = moment(request.timestamp, frame.received_at)
    id_tag = clean(request.id_tag)
    token = id_token(id_tag) if id_tag else None
    reason = clean(request.reason)
    event = Event(
        number=1,
        kind="Ended",
        at=at,
        received_at=frame.received_at,
        token=token,
        reason=reason,
        samples=(Sample(at, request.meter_stop, END, "Outlet", 0),),
        flags=flags,
        content=fingerprint((moment_text(request.timestamp), request.meter_stop, token.key if token else "", reason)),
    )
    return Report(frame.station_id, VERSION, _stopped(request), event)


def transaction_stopped(_report: Report, recorded: Recorded) -> bytes:
    """Answer a StopTransaction request: about its idTag if it has one, else with nothing; never with an error.

    Spec: OCPP 1.6 4.10, 6.50
    """
    return payload.encode(IdTagAnswer(id_tag_info(recorded.judgement) if recorded.judgement else None))


def _stopped(request: _StopTransaction) -> Reference:
    """Name the transaction of a stop.

    An id that we did not issue to this station is a transaction whose start we never got. Stations that never learned
    an id send -1 (some send 0) for each of their transactions: time and meter tell those apart.

    Spec: OCPP 1.6 errata 3.18
    """
    number = request.transaction_id
    unknown = f"unknown/{number}"
    if number > 0:
        return Reference((issued(str(number)), unknown), str(number))
    return Reference((f"{unknown}/{moment_text(request.timestamp)}/{request.meter_stop:.15g}",), str(number))
