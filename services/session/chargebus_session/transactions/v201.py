"""OCPP 2.0.1: TransactionEvent as the domain sees it; 2.1 is read the same way."""

from datetime import datetime
from typing import Final

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_session import payload
from chargebus_session.payload import AnswerPayload
from chargebus_session.tokens.v201 import IdTokenInfo, IdTokenType, id_token_info, read_token
from chargebus_session.transactions.domain.events import SEQUENCE_MISSING, Event, Kind
from chargebus_session.transactions.domain.outside import Readings
from chargebus_session.transactions.domain.sessions import Reference, Report, of_station
from chargebus_session.transactions.domain.state import Recorded
from chargebus_session.transactions.payload import (
    ENERGY,
    IMPORT_REGISTER,
    WATT_HOUR,
    Whole,
    energy_samples,
    fingerprint,
    may_hold_energy,
    members,
    moment,
    moment_text,
    unreadable_token,
    watt_hours,
)

_STOPPING: Final = frozenset({"StopAuthorized", "Deauthorized", "RemoteStop"})


class _Evse(Payload, frozen=True):
    id: Whole
    connector_id: Whole | None = None


class _TransactionInfo(Payload, frozen=True):
    transaction_id: str
    charging_state: str = ""
    stopped_reason: str = ""
    remote_start_id: Whole | None = None


class _UnitOfMeasure(Payload, frozen=True):
    unit: str = WATT_HOUR
    multiplier: int = 0


class _SampledValue(Payload, frozen=True):
    value: float
    context: str = "Sample.Periodic"
    measurand: str = IMPORT_REGISTER
    phase: str = ""
    location: str = "Outlet"
    unit_of_measure: _UnitOfMeasure = _UnitOfMeasure()


class _MeterValue(Payload, frozen=True):
    timestamp: str
    sampled_value: tuple[_SampledValue, ...]


class _TransactionEvent(Payload, frozen=True):
    event_type: Kind
    timestamp: str
    trigger_reason: str
    transaction_info: _TransactionInfo
    seq_no: Whole | None = None
    offline: bool = False
    evse: _Evse | None = None
    id_token: IdTokenType | None = None
    reservation_id: Whole | None = None
    meter_value: tuple[_MeterValue, ...] = ()


class _MeterValues(Payload, frozen=True):
    evse_id: Whole
    meter_value: tuple[_MeterValue, ...]


class _TransactionEventAnswer(AnswerPayload, frozen=True):
    id_token_info: IdTokenInfo | None = None


_read_event = reader(_TransactionEvent)
_read_meter_values = reader(_MeterValues)
_NOTHING: Final = payload.encode(_TransactionEventAnswer())


def transaction_event(frame: Frame) -> Report:
    """Read a TransactionEvent request.

    Its identity is its content, not its seqNo alone: a station that counts anew after a restart must not lose an event
    to one that had the same number.

    Spec: OCPP 2.0.1 E01.FR.07, E01.FR.08
    """
    request = _read_event(frame.payload)
    at, flags = moment(request.timestamp, frame.received_at)
    info = request.transaction_info
    number, unnumbered = _number(request, at)
    starts = request.event_type != "Ended" and request.trigger_reason not in _STOPPING
    event = Event(
        number=number,
        kind=request.event_type,
        at=at,
        received_at=frame.received_at,
        trigger=clean(request.trigger_reason),
        offline=request.offline,
        token=read_token(request.id_token) if request.id_token else None,
        starts=starts,
        evse_id=request.evse.id if request.evse else None,
        connector_id=request.evse.connector_id if request.evse else None,
        charging_state=clean(info.charging_state),
        reason=clean(info.stopped_reason),
        remote_start_id=info.remote_start_id,
        reservation_id=request.reservation_id,
        samples=energy_samples(request.meter_value, frame.received_at, _watt_hours) if request.meter_value else (),
        flags=(*flags, *unnumbered, *(unreadable_token(frame, "idToken") if starts else ())),
        content=_content(frame),
    )
    transaction_id = clean(info.transaction_id)
    return Report(frame.station_id, frame.version, Reference((of_station(transaction_id),), transaction_id), event)


def _number(request: _TransactionEvent, at: datetime) -> tuple[int, tuple[str, ...]]:
    """Return an event's seqNo, or where it stands among others if its station left that out, and the mark of it."""
    if request.seq_no is not None:
        return request.seq_no, ()
    number = 0 if request.event_type == "Started" else max(0, int(at.timestamp() * 1000))
    return number, (SEQUENCE_MISSING,)


def _content(frame: Frame) -> str:
    """Return what stands for an event's content: all that was sent, but for what a station changes as it sends again.

    Spec: OCPP 2.0.1 TransactionEventRequest.offline (set for what is sent later)
    """
    content = members(frame.payload)
    content.pop("offline", None)
    meter_values = content.get("meterValue")
    for stamped in (content, *(meter_values if isinstance(meter_values, list) else ())):
        if isinstance(stamped, dict) and isinstance(stamped.get("timestamp"), str):
            stamped["timestamp"] = moment_text(stamped["timestamp"])
    return fingerprint(content)


def meter_values(frame: Frame) -> Readings:
    """Read a MeterValues request: of the transaction at its EVSE; those of EVSE 0, the main meter, are of none.

    It is read beside its owner, so what cannot be read is passed over.

    Spec: OCPP 2.0.1 J01.FR.14
    """
    nothing = Readings(frame.station_id, (), 0, frame.received_at)
    if not may_hold_energy(frame.payload):
        return nothing
    try:
        request = _read_meter_values(frame.payload)
    except msgspec.MsgspecError:
        return nothing
    samples = energy_samples(request.meter_value, frame.received_at, _watt_hours) if request.evse_id > 0 else ()
    return Readings(frame.station_id, (), request.evse_id, frame.received_at, samples)


def transaction_noted(report: Report, recorded: Recorded) -> bytes:
    """Answer a TransactionEvent request: about its idToken if it has one, not about one that a remote start named.

    Spec: OCPP 2.0.1 E01.FR.12, C02.FR.02, C09.FR.12
    """
    if recorded.judgement is None or report.event.token is None:
        return _NOTHING
    return payload.encode(_TransactionEventAnswer(id_token_info(recorded.judgement)))


def _watt_hours(value: _SampledValue) -> float | None:
    if value.measurand not in ENERGY:
        return None
    return watt_hours(value.value, value.unit_of_measure.unit, value.unit_of_measure.multiplier)
