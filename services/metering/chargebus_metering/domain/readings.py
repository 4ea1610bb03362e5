"""From what a station wrote to readings in base units; what is no number is set aside, never dropped.

Set aside are signed values (OCPP 1.6 `SignedData`, OCPP 2.x `signedMeterValue`, whose number is a reading all the
same), values that are no finite number, and values whose place or phase cannot be told. Readings without a time that
can be read have that of their arrival, and say so.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial

import msgspec
from chargebus_events.public import Reading
from chargebus_ocppj.payloads import clean
from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_metering.domain.identity import Identity, Place, microseconds, reading_id
from chargebus_metering.domain.units import to_base, unit_of

LARGEST_ID = (1 << 31) - 1

PHASES = frozenset({"L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"})
"""Spec: OCPP 1.6 Phase; OCPP 2.0.1 PhaseEnumType. Of any other nobody knows what to add it to."""

Number = int | float
"""An integer as stations write it: 1.0 passes for 1 in the schemas of every version."""


class Reason(StrEnum):
    """Why a value is set aside."""

    SIGNED = "signed"
    NOT_A_NUMBER = "not_a_number"
    NO_PLACE = "no_place"
    NO_PHASE = "no_phase"


TIME_OF_ARRIVAL = "time_of_arrival"
"""The quality of a reading whose station told no time that can be read."""


class PlaceError(ValueError):
    """A message names an EVSE or connector that cannot exist."""


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sampled value as the station wrote it, absent members replaced by the specification's defaults.

    `signature` is the `signedMeterValue` of OCPP 2.x; `signed` says that `value` itself is signed data (OCPP 1.6).

    Spec: OCPP 1.6 SampledValue; OCPP 2.0.1 SampledValueType
    """

    value: str
    measurand: str = "Energy.Active.Import.Register"
    unit: str = ""
    multiplier: int = 0
    phase: str = ""
    location: str = "Outlet"
    context: str = "Sample.Periodic"
    signed: bool = False
    signature: msgspec.Raw = msgspec.Raw(b"")


class Samples(msgspec.Struct, frozen=True):
    """The sampled values of one moment, `timestamp` as the station wrote it."""

    timestamp: str
    values: Sequence[Sample]


class Message(msgspec.Struct, frozen=True):
    """The readings of one message of a station."""

    place: Place
    samples: Sequence[Samples]


class SetAside(msgspec.Struct, frozen=True):
    """A value that became no reading, or that is more than its number; `original` is its sample as JSON.

    `value_id` is the same for the same value, however often it is sent; `timestamp` is as the station wrote it.
    """

    value_id: str
    timestamp: str
    reason: Reason
    original: str


class Normalised(msgspec.Struct, frozen=True):
    """What became of a message's samples."""

    readings: list[Reading]
    set_aside: list[SetAside]


def normalise(message: Message, received_at: datetime) -> Normalised:
    """Turn samples into readings, each with its identity, in the station's order.

    Those without a time are as of `received_at`: the same ones, sent again, are others, as nothing tells them apart
    from a meter that stands still.

    Spec: OCPP 1.6 sections 4.7 and 4.10; OCPP 2.0.1 J01, J02
    """
    result = Normalised([], [])
    identity = message.place.identity()
    for number, samples in enumerate(message.samples):
        aside = partial(_set_aside, identity, samples.timestamp)
        try:
            sampled_at = parse_timestamp(samples.timestamp)
            moment = _Moment(sampled_at, microseconds(sampled_at), identity)
        except ValueError:
            untimed = (*identity, TIME_OF_ARRIVAL, number)
            moment = _Moment(received_at, microseconds(received_at), untimed, TIME_OF_ARRIVAL)
        for sample in samples.values:
            if sample.signed or sample.signature:
                result.set_aside.append(aside(Reason.SIGNED, sample))
            if sample.signed:
                continue
            if sample.phase and sample.phase not in PHASES:
                result.set_aside.append(aside(Reason.NO_PHASE, sample))
                continue
            reading = _reading(moment, sample)
            if reading is None:
                result.set_aside.append(aside(Reason.NOT_A_NUMBER, sample))
            else:
                result.readings.append(reading)
    return result


def without_place(station_id: str, payload: str) -> Normalised:
    """Set a whole message aside whose place cannot be (connector -1): its `original` is the request as it came."""
    value_id = reading_id(0, station_id, Reason.NO_PLACE, payload)
    return Normalised([], [SetAside(value_id, "", Reason.NO_PLACE, payload)])


def whole(number: Number) -> int:
    """Return the number of an EVSE or connector.

    Raises:
        PlaceError: no such number can be.
    """
    if not 0 <= number <= LARGEST_ID or (exact := int(number)) != number:
        raise PlaceError(f"{number} is no EVSE or connector")
    return exact


class _Moment(msgspec.Struct):
    sampled_at: datetime
    sampled_at_us: int
    identity: Identity
    quality: str = ""


def _reading(moment: _Moment, sample: Sample) -> Reading | None:
    unit = unit_of(sample.unit, sample.measurand)
    value = to_base(sample.value, unit, sample.multiplier)
    if value is None:
        return None
    return Reading(
        reading_id=reading_id(
            moment.sampled_at_us,
            moment.identity,
            sample.measurand,
            sample.phase,
            sample.location,
            sample.context,
            sample.value,
            sample.multiplier,
            sample.unit or unit.base,
        ),
        sampled_at=moment.sampled_at,
        measurand=sample.measurand,
        value=value,
        unit=unit.base,
        original_value=sample.value,
        original_unit=sample.unit,
        multiplier=sample.multiplier,
        phase=sample.phase,
        location=sample.location,
        context=sample.context,
        quality=moment.quality,
    )


def _set_aside(identity: Identity, timestamp: str, reason: Reason, sample: Sample) -> SetAside:
    timestamp = clean(timestamp)
    original = msgspec.json.encode(sample).decode()
    return SetAside(reading_id(0, identity, timestamp, reason, original), timestamp, reason, original)
