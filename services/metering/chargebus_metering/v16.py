"""OCPP 1.6: MeterValues and StopTransaction as the domain sees them.

StartTransaction is not here: its transaction has no id before `session` gives it one, so its meterStart comes with
`session.events`.
"""

from collections.abc import Sequence

import msgspec

from chargebus_metering.domain.identity import Place
from chargebus_metering.domain.readings import Message, Number, PlaceError, Sample, Samples, whole

_LARGEST_TRANSACTION_ID = 2**63 - 1


class _SampledValue(msgspec.Struct):
    value: str
    context: str = "Sample.Periodic"
    format: str = "Raw"
    measurand: str = "Energy.Active.Import.Register"
    phase: str = ""
    location: str = "Outlet"
    unit: str = ""


class _MeterValue(msgspec.Struct, rename="camel"):
    timestamp: str
    sampled_value: list[_SampledValue]


class _MeterValues(msgspec.Struct, rename="camel"):
    connector_id: Number
    meter_value: list[_MeterValue]
    transaction_id: Number = 0


class _StopTransaction(msgspec.Struct, rename="camel"):
    timestamp: str
    transaction_id: Number
    meter_stop: Number | None = None
    transaction_data: list[_MeterValue] = []


_meter_values = msgspec.json.Decoder(_MeterValues)
_stop_transaction = msgspec.json.Decoder(_StopTransaction)


def meter_values(station_id: str, payload: bytes) -> Message:
    """Read a MeterValues request; connector n is EVSE n, connector 0 is the main meter.

    Raises:
        PlaceError: no such connector can be.

    Spec: OCPP 1.6 section 4.7 and MeterValues.req
    """
    request = _meter_values.decode(payload)
    evse_id = whole(request.connector_id)
    # Stations write 0 or -1 where they have no transaction, and for those whose id they never learned.
    transaction_id = _transaction_id(request.transaction_id) if request.transaction_id > 0 else ""
    place = Place(station_id, evse_id, min(evse_id, 1), transaction_id)
    return Message(place, _samples(request.meter_value))


def stop_transaction(station_id: str, payload: bytes) -> Message:
    """Read a StopTransaction request: meterStop as a register reading, and transactionData.

    Its readings are a transaction's, whatever the id: `session` knows a transaction without a start by the same one.
    But 0 and -1 stand for any number of transactions, and none of these can say where another was.

    Spec: OCPP 1.6 section 4.10 and StopTransaction.req (meterStop in Wh), errata 3.18
    """
    request = _stop_transaction.decode(payload)
    evse_id = None if request.transaction_id > 0 else 0
    place = Place(station_id, evse_id, 0, _transaction_id(request.transaction_id))
    return Message(place, (*_register(request), *_samples(request.transaction_data)))


def _register(request: _StopTransaction) -> tuple[Samples, ...]:
    wh = request.meter_stop
    if wh is None:  # a station that deviates left it out
        return ()
    digits = _digits(wh) if wh == int(wh) else f"{wh:.15g}"
    return (Samples(request.timestamp, (Sample(digits, unit="Wh", context="Transaction.End"),)),)


def _digits(number: Number) -> str:
    return str(int(number))  # 7 and 7.0 name the same transaction


def _transaction_id(number: Number) -> str:
    if abs(number) > _LARGEST_TRANSACTION_ID:  # `session` knows none of these either
        raise PlaceError("a transaction id of more than 64 bits")
    return _digits(number)


def _samples(meter_values: Sequence[_MeterValue]) -> list[Samples]:
    return [Samples(each.timestamp, [_sample(value) for value in each.sampled_value]) for each in meter_values]


def _sample(value: _SampledValue) -> Sample:
    return Sample(
        value=value.value,
        measurand=value.measurand,
        unit=value.unit,
        phase=value.phase,
        location=value.location,
        context=value.context,
        signed=value.format == "SignedData",
    )
