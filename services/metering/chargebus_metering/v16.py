"""OCPP 1.6: MeterValues and StopTransaction as the domain sees them.

StartTransaction is not here: its transaction has no id before `session` gives it one, so its meterStart comes with
`session.events`.
"""

from collections.abc import Sequence

import msgspec

from chargebus_metering.domain.identity import Place
from chargebus_metering.domain.readings import Message, Sample, Samples, whole


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
    connector_id: int
    meter_value: list[_MeterValue]
    transaction_id: int = 0


class _StopTransaction(msgspec.Struct, rename="camel"):
    meter_stop: int
    timestamp: str
    transaction_id: int
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
    place = Place(station_id, evse_id, min(evse_id, 1), _transaction(request.transaction_id))
    return Message(place, _samples(request.meter_value))


def stop_transaction(station_id: str, payload: bytes) -> Message:
    """Read a StopTransaction request: meterStop as a register reading, and transactionData.

    Spec: OCPP 1.6 section 4.10 and StopTransaction.req (meterStop in Wh)
    """
    request = _stop_transaction.decode(payload)
    register = Sample(str(request.meter_stop), unit="Wh", context="Transaction.End")
    place = Place(station_id, None, 0, _transaction(request.transaction_id))
    return Message(place, (Samples(request.timestamp, (register,)), *_samples(request.transaction_data)))


def _transaction(number: int) -> str:
    # Stations write 0 or -1 where they have no transaction, or never learned its id.
    return str(number) if number > 0 else ""


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
