"""OCPP 1.6: idTags, StartTransaction and StopTransaction as the domain sees them.

A transaction has two events here, numbered 0 and 1; connector n is EVSE n with connector 1 (connector 0: the station).
"""

from typing import Final

from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader
from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_session import payload
from chargebus_session.domain.desk import Recorded
from chargebus_session.domain.events import BEGIN, END, Event, Sample
from chargebus_session.domain.remote import Start, Stop
from chargebus_session.domain.sessions import Authorize, Reference, Report, issued
from chargebus_session.domain.tokens import IdToken, Judgement, id_token
from chargebus_session.payload import Answer, Whole

VERSION: Final = "1.6"
ID_TAG_LIMIT: Final = 20
"""Spec: OCPP 1.6 7.15, CiString20Type"""

_STATUSES: Final = {"Unknown": "Invalid"}


class _Authorize(Payload, frozen=True):
    id_tag: str


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


class _IdTagInfo(Answer, frozen=True):
    expiry_date: str | None = None
    parent_id_tag: str | None = None
    status: str = ""


class _IdTagAnswer(Answer, frozen=True):
    id_tag_info: _IdTagInfo | None = None


class _StartAnswer(Answer, frozen=True):
    id_tag_info: _IdTagInfo
    transaction_id: int


_read_authorize = reader(_Authorize)
_read_start = reader(_StartTransaction)
_read_stop = reader(_StopTransaction)


def authorize(frame: Frame) -> Authorize:
    """Read an Authorize request."""
    return Authorize(_token(_read_authorize(frame.payload).id_tag), frame.received_at)


def authorized(_request: Authorize, judgement: Judgement) -> bytes:
    """Answer an Authorize request."""
    return payload.encode(_IdTagAnswer(_info(judgement)))


def start_transaction(frame: Frame) -> Report:
    """Read a StartTransaction request.

    Its identity is what the station says of it: a resent one has another message id and the same content.
    """
    request = _read_start(frame.payload)
    at, flags = payload.moment(request.timestamp, frame.received_at)
    token = _token(request.id_tag)
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
    )
    start = f"{request.connector_id}/{_moment(request.timestamp)}/{token.key}/{request.meter_start:.15g}"
    return Report(frame.station_id, VERSION, Reference(start=start), event)


def transaction_started(_report: Report, recorded: Recorded) -> bytes:
    """Answer a StartTransaction request: always with an id, whatever became of the token.

    Spec: OCPP 1.6 4.8
    """
    info = _info(recorded.judgement) if recorded.judgement else _IdTagInfo(status="Invalid")
    return payload.encode(_StartAnswer(info, int(recorded.session.transaction_id)))


def stop_transaction(frame: Frame) -> Report:
    """Read a StopTransaction request.

    Spec: OCPP 1.6 4.10 (no reason means Local, no idTag that the station stopped by itself)
    """
    request = _read_stop(frame.payload)
    at, flags = payload.moment(request.timestamp, frame.received_at)
    id_tag = clean(request.id_tag)
    event = Event(
        number=1,
        kind="Ended",
        at=at,
        received_at=frame.received_at,
        token=id_token(id_tag) if id_tag else None,
        reason=clean(request.reason),
        samples=(Sample(at, request.meter_stop, END, "Outlet", 0),),
        flags=flags,
    )
    return Report(frame.station_id, VERSION, _stopped(request), event)


def transaction_stopped(_report: Report, recorded: Recorded) -> bytes:
    """Answer a StopTransaction request: about its idTag if it has one, else with nothing; never with an error.

    Spec: OCPP 1.6 4.10, 6.50
    """
    return payload.encode(_IdTagAnswer(_info(recorded.judgement) if recorded.judgement else None))


def remote_start(start: Start) -> dict[str, object]:
    """Return RemoteStartTransaction for a start; 1.6 has no place for its id.

    Spec: OCPP 1.6 5.11
    """
    return {"connectorId": start.evse_id, "idTag": start.token.id_token}


def remote_stop(stop: Stop) -> dict[str, object]:
    """Return RemoteStopTransaction for a stop.

    Raises:
        ValueError: the transaction id is none of OCPP 1.6.

    Spec: OCPP 1.6 5.12
    """
    return {"transactionId": int(stop.transaction_id)}


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
    return Reference((f"{unknown}/{_moment(request.timestamp)}/{request.meter_stop:.15g}",), str(number))


def _token(id_tag: str) -> IdToken:
    return id_token(clean(id_tag))


def _moment(text: str) -> str:
    """Return a timestamp for comparing: the same for the same moment however it is written."""
    try:
        return parse_timestamp(text).isoformat()
    except ValueError:
        return clean(text)


def _info(judgement: Judgement) -> _IdTagInfo:
    """Return idTagInfo; a group that is too long for a parentIdTag is left out."""
    group_id = judgement.group_id if len(judgement.group_id) <= ID_TAG_LIMIT else ""
    return _IdTagInfo(
        expiry_date=payload.timestamp(judgement.expires_at),
        parent_id_tag=group_id or None,
        status=_STATUSES.get(judgement.status, judgement.status),
    )
