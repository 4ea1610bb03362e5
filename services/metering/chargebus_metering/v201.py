"""OCPP 2.0.1 and 2.1: MeterValues and TransactionEvent as the domain sees them.

What 2.1 adds to their readings (measurands, the location `Upstream`, units) are words, which are data here.
"""

from collections.abc import Sequence

import msgspec
from chargebus_ocppj.payloads import clean

from chargebus_metering.domain.identity import Place
from chargebus_metering.domain.readings import Message, Number, Sample, Samples, whole

_ABSURD = 1_000_000


class _UnitOfMeasure(msgspec.Struct, frozen=True):
    unit: str = ""
    multiplier: Number = 0


class _SampledValue(msgspec.Struct, rename="camel"):
    value: msgspec.Raw  # its digits as written
    context: str = "Sample.Periodic"
    measurand: str = "Energy.Active.Import.Register"
    phase: str = ""
    location: str = "Outlet"
    signed_meter_value: msgspec.Raw = msgspec.Raw(b"")
    unit_of_measure: _UnitOfMeasure = _UnitOfMeasure()


class _MeterValue(msgspec.Struct, rename="camel"):
    timestamp: str
    sampled_value: list[_SampledValue]


class _MeterValues(msgspec.Struct, rename="camel"):
    evse_id: Number
    meter_value: list[_MeterValue]


class _Evse(msgspec.Struct, rename="camel"):
    id: Number
    connector_id: Number = 0


class _TransactionInfo(msgspec.Struct, rename="camel"):
    transaction_id: str


class _TransactionEvent(msgspec.Struct, rename="camel"):
    transaction_info: _TransactionInfo
    evse: _Evse | None = None
    meter_value: list[_MeterValue] = []


_meter_values = msgspec.json.Decoder(_MeterValues)
_transaction_event = msgspec.json.Decoder(_TransactionEvent)


def meter_values(station_id: str, payload: bytes) -> Message:
    """Read a MeterValues request; EVSE 0 is the main meter.

    Raises:
        PlaceError: no such EVSE can be.

    Spec: OCPP 2.0.1 J01.FR.14 and MeterValuesRequest
    """
    request = _meter_values.decode(payload)
    return Message(Place(station_id, whole(request.evse_id)), _samples(request.meter_value))


def transaction_event(station_id: str, payload: bytes) -> Message:
    """Read a TransactionEvent request; only a transaction's first message must name its EVSE.

    Raises:
        PlaceError: no such EVSE or connector can be.

    Spec: OCPP 2.0.1 E01.FR.16, J02
    """
    request = _transaction_event.decode(payload)
    transaction_id = clean(request.transaction_info.transaction_id)
    if request.evse is None:
        place = Place(station_id, None, 0, transaction_id)
    else:
        place = Place(station_id, whole(request.evse.id), whole(request.evse.connector_id), transaction_id)
    return Message(place, _samples(request.meter_value))


def _samples(meter_values: Sequence[_MeterValue]) -> list[Samples]:
    return [Samples(each.timestamp, [_sample(value) for value in each.sampled_value]) for each in meter_values]


def _sample(value: _SampledValue) -> Sample:
    return Sample(
        value=bytes(value.value).decode(),
        measurand=value.measurand,
        unit=clean(value.unit_of_measure.unit),
        multiplier=_power(value.unit_of_measure.multiplier),
        phase=value.phase,
        location=value.location,
        context=value.context,
        signature=value.signed_meter_value,
    )


def _power(multiplier: float) -> int:
    # Far beyond any sense, where no value comes of it, it need not be exact.
    return int(max(-_ABSURD, min(multiplier, _ABSURD)))
