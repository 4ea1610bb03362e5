"""OCPP 1.6: StartTransaction and StopTransaction as the domain sees them.

A transaction has two events here, numbered 0 and 1; connector n is EVSE n with connector 1 (connector 0: the station).
"""

from datetime import datetime
from typing import Final

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_session import payload
from chargebus_session.payload import AnswerPayload
from chargebus_session.tokens.domain import id_token
from chargebus_session.tokens.v16 import IdTagAnswer, IdTagInfo, id_tag_info, read_token
from chargebus_session.transactions.domain.events import BEGIN, END, Event, Sample
from chargebus_session.transactions.domain.outside import Readings
from chargebus_session.transactions.domain.sessions import Reference, Report, issued
from chargebus_session.transactions.domain.state import Recorded
from chargebus_session.transactions.payload import (
    ENERGY,
    IMPORT_REGISTER,
    WATT_HOUR,
    Whole,
    energy_samples,
    fingerprint,
    may_hold_energy,
    moment_text,
    moment_with_text,
    unreadable_token,
    watt_hours,
)

VERSION: Final = "1.6"

_SIGNED: Final = "SignedData"


class _StartTransaction(Payload, frozen=True):
    connector_id: Whole
    id_tag: str
    timestamp: str
    meter_start: float | None = None
    reservation_id: Whole | None = None


class _StopTransaction(Payload, frozen=True):
    transaction_id: Whole
    timestamp: str
    meter_stop: float | None = None
    id_tag: str = ""
    reason: str = ""
    transaction_data: msgspec.Raw = msgspec.Raw()


class _SampledValue(Payload, frozen=True):
    value: str
    context: str = "Sample.Periodic"
    format: str = "Raw"
    measurand: str = IMPORT_REGISTER
    phase: str = ""
    location: str = "Outlet"
    unit: str = WATT_HOUR


class _MeterValue(Payload, frozen=True):
    timestamp: str
    sampled_value: tuple[_SampledValue, ...]


class _MeterValues(Payload, frozen=True):
    connector_id: Whole
    meter_value: tuple[_MeterValue, ...]
    transaction_id: Whole | None = None


class _StartAnswer(AnswerPayload, frozen=True):
    id_tag_info: IdTagInfo
    transaction_id: int


_read_start = reader(_StartTransaction)
_read_stop = reader(_StopTransaction)
_read_readings = reader(_MeterValues)
_read_meter_values: Final = msgspec.json.Decoder(tuple[_MeterValue, ...], strict=False).decode


def start_transaction(frame: Frame) -> Report:
    """Read a StartTransaction request.

    Its identity is what the station says of it: a resent one has another message id and the same content.
    """
    request = _read_start(frame.payload)
    at, flags, when = moment_with_text(request.timestamp, frame.received_at)
    token = read_token(request.id_tag)
    start = f"{request.connector_id}/{when}/{token.key}/{_digits(request.meter_start)}"
    event = Event(
        number=0,
        kind="Started",
        at=at,
        received_at=frame.received_at,
        token=token,
        starts=True,
        evse_id=request.connector_id,
        connector_id=min(request.connector_id, 1),
        reservation_id=request.reservation_id,
        samples=_register(at, request.meter_start, BEGIN),
        flags=(*flags, *unreadable_token(frame, "idTag")),
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
    at, flags, when = moment_with_text(request.timestamp, frame.received_at)
    id_tag = clean(request.id_tag)
    token = id_token(id_tag) if id_tag else None
    reason = clean(request.reason)
    data = _transaction_data(request, frame.received_at)
    event = Event(
        number=1,
        kind="Ended",
        at=at,
        received_at=frame.received_at,
        token=token,
        reason=reason,
        samples=(*data, *_register(at, request.meter_stop, END, len(data))),
        flags=flags,
        content=fingerprint((when, request.meter_stop, token.key if token else "", reason)),
    )
    return Report(frame.station_id, VERSION, _stopped(request), event)


def meter_values(frame: Frame) -> Readings:
    """Read a MeterValues request: of the transaction that it names, else of the one at its connector.

    Stations write 0 or -1 for none, and for one whose id they never learned. It is read beside its owner, so what
    cannot be read is passed over.

    Spec: OCPP 1.6 4.7
    """
    nothing = Readings(frame.station_id, (), 0, frame.received_at)
    if not may_hold_energy(frame.payload):
        return nothing
    try:
        request = _read_readings(frame.payload)
    except msgspec.MsgspecError:
        return nothing
    number = request.transaction_id or 0
    names = _names(number) if number > 0 else ()
    samples = (
        energy_samples(request.meter_value, frame.received_at, _watt_hours) if names or request.connector_id > 0 else ()
    )
    return Readings(frame.station_id, names, request.connector_id, frame.received_at, samples)


def transaction_stopped(_report: Report, recorded: Recorded) -> bytes:
    """Answer a StopTransaction request: about its idTag if it has one, else with nothing; never with an error.

    Spec: OCPP 1.6 4.10, 6.50
    """
    return payload.encode(IdTagAnswer(id_tag_info(recorded.judgement) if recorded.judgement else None))


def _transaction_data(request: _StopTransaction, received_at: datetime) -> tuple[Sample, ...]:
    """Return the energy in transactionData; what cannot be read there must not cost the stop."""
    if not bytes(request.transaction_data):
        return ()
    try:
        return energy_samples(_read_meter_values(request.transaction_data), received_at, _watt_hours)
    except msgspec.MsgspecError:
        return ()


def _watt_hours(value: _SampledValue) -> float | None:
    if value.measurand not in ENERGY or value.format == _SIGNED:
        return None
    try:
        return watt_hours(float(value.value), value.unit)
    except ValueError:
        return None


def _stopped(request: _StopTransaction) -> Reference:
    """Name the transaction of a stop.

    An id that we did not issue to this station is a transaction whose start we never got. Stations that never learned
    an id, or lost it, send -1 (some send 0) for each of their transactions: time and meter tell those apart.

    Spec: OCPP 1.6 errata 3.18
    """
    number = request.transaction_id
    if number > 0:
        return Reference(_names(number), str(number), guessed=True)
    name = f"unknown/{number}/{moment_text(request.timestamp)}/{_digits(request.meter_stop)}"
    return Reference((name,), str(number), guessed=True)


def _names(number: int) -> tuple[str, ...]:
    return issued(str(number)), f"unknown/{number}"


def _register(at: datetime, wh: float | None, context: str, index: int = 0) -> tuple[Sample, ...]:
    """Return the register that a message tells of; one of a station that deviates may tell of none."""
    return () if wh is None else (Sample(at, wh, context, "Outlet", index),)


def _digits(wh: float | None) -> str:
    return "" if wh is None else f"{wh:.15g}"
