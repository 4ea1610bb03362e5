"""OCPP 2.0.1 and 2.1: what a device model says of EVSEs and their connectors, in the domain's words."""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Final

import msgspec
from chargebus_events.frames import Frame
from chargebus_events.registry import Rating
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_device.ratings.domain import LEAST_W, MOST_W, TYPE_LIMIT, RatingReport

_WATTS: Final = {"": 1.0, "w": 1.0, "kw": 1_000.0, "mw": 1_000_000.0}
_MOST_PHASES: Final = 3
_ACTUAL: Final = "Actual"
_LARGEST: Final = "MaxSet"
_NAMES: Final = (b'"power"', b'"supplyphases"', b'"connectortype"')


class _Evse(Payload, frozen=True):
    id: int
    connector_id: int = 0


class _Component(Payload, frozen=True):
    name: str
    evse: _Evse | None = None


class _Variable(Payload, frozen=True):
    name: str


class _Attribute(Payload, frozen=True):
    type: str = _ACTUAL
    value: str = ""


class _Characteristics(Payload, frozen=True):
    unit: str = ""
    max_limit: float | None = None


class _Datum(Payload, frozen=True):
    component: _Component
    variable: _Variable
    variable_attribute: tuple[_Attribute, ...] = ()
    variable_characteristics: _Characteristics | None = None

    def value(self, attribute: str) -> str:
        """Return the text of one of the variable's attributes, empty if it is not told."""
        return next((clean(each.value) for each in self.variable_attribute if each.type == attribute), "")


class _NotifyReport(Payload, frozen=True):
    report_data: tuple[msgspec.Raw, ...] = ()


_read_report = reader(_NotifyReport)
_read_datum = reader(_Datum)


def report(frame: Frame) -> RatingReport:
    """Read a NotifyReport request, as far as it is about what EVSEs are built for; what cannot be read is passed over.

    Spec: OCPP 2.0.1 B07.FR.07, B08, Part 2 appendix 3 (EVSE.Power, EVSE.SupplyPhases, Connector.ConnectorType)
    """
    payload = frame.payload.lower()
    if not any(name in payload for name in _NAMES):  # the usual case
        return RatingReport(frame.station_id)
    try:
        data = _read_report(frame.payload).report_data
    except msgspec.MsgspecError:
        return RatingReport(frame.station_id)
    return RatingReport(frame.station_id, tuple(rating for raw in data for rating in _ratings(bytes(raw))))


def _ratings(raw: bytes) -> Iterator[Rating]:
    try:
        datum = _read_datum(raw)
    except msgspec.MsgspecError:
        return
    evse = datum.component.evse
    read = _VARIABLES.get((datum.component.name.lower(), datum.variable.name.lower()))
    if evse is not None and read is not None and evse.id > 0 and evse.connector_id >= 0:
        yield from read(Rating(evse.id, evse.connector_id), datum)


def _power(of: Rating, datum: _Datum) -> Iterator[Rating]:
    said = datum.variable_characteristics or _Characteristics()
    limit = said.max_limit
    if limit is None:
        limit = _number(datum.value(_LARGEST))
    factor = _WATTS.get(clean(said.unit).lower())
    if limit is not None and factor is not None and LEAST_W <= limit * factor <= MOST_W:
        yield msgspec.structs.replace(of, max_power_w=limit * factor)


def _phases(of: Rating, datum: _Datum) -> Iterator[Rating]:
    number = _number(datum.value(_ACTUAL))
    if number is not None and number in range(_MOST_PHASES + 1):
        yield msgspec.structs.replace(of, phases=int(number))


def _connector_type(of: Rating, datum: _Datum) -> Iterator[Rating]:
    name = datum.value(_ACTUAL)
    if name and of.connector_id:
        yield msgspec.structs.replace(of, connector_type=name[:TYPE_LIMIT])


_VARIABLES: Final[Mapping[tuple[str, str], Callable[[Rating, _Datum], Iterator[Rating]]]] = {
    ("evse", "power"): _power,
    ("evse", "supplyphases"): _phases,
    ("connector", "supplyphases"): _phases,
    ("connector", "connectortype"): _connector_type,
}


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
