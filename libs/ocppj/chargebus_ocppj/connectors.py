"""The types of connectors there are, and the largest power that each is made for.

Spec: OCPP 2.0.1 ConnectorEnumType, Part 2 appendix 3 (Connector.ConnectorType); OCPP 2.1 ConnectorEnumStringType
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class _Largest(NamedTuple):
    """The largest power of a connector, in W: with one phase, and with all that it has."""

    one_phase_w: float
    most_w: float


def _dc(most_w: float) -> _Largest:
    return _Largest(most_w, most_w)


def _ac(one_phase_w: float) -> _Largest:
    return _Largest(one_phase_w, one_phase_w)


_TYPE_1: Final = _ac(19_200)  # 80 A at 240 V
_TYPE_2: Final = _Largest(18_400, 43_650)  # 80 A at 230 V; 63 A at 230/400 V
_CCS: Final = _dc(500_000)  # 500 A at 1,000 V
_NACS: Final = _dc(1_000_000)  # 1,000 A at 1,000 V

_LARGEST: Final[Mapping[str, _Largest | None]] = {
    "cCCS1": _CCS,
    "cCCS2": _CCS,
    "cCCS1-NACS": _NACS,
    "cChaoJi": _dc(900_000),  # 600 A at 1,500 V
    "cG105": _dc(400_000),  # CHAdeMO 2.0: 400 A at 1,000 V
    "cGBT": _dc(900_000),  # GB/T 20234.3, with cooled cables
    "cGBT-DC": _dc(900_000),
    "cLECCS": _dc(22_000),
    "cMCS": _dc(3_750_000),  # 3,000 A at 1,250 V
    "cNACS": _NACS,
    "cNACS-CCS1": _NACS,
    "cTesla": _NACS,
    "cType1": _TYPE_1,
    "cType2": _TYPE_2,
    "cUltraChaoJi": _dc(1_800_000),  # 1,200 A at 1,500 V
    "s309-1P-16A": _ac(3_680),
    "s309-1P-32A": _ac(7_360),
    "s309-3P-16A": _Largest(3_680, 11_090),
    "s309-3P-32A": _Largest(7_360, 22_170),
    "sBS1361": _ac(2_990),  # 13 A
    "sCEE-7-7": _ac(3_680),  # 16 A
    "sType1": _TYPE_1,
    "sType2": _TYPE_2,
    "sType3": _TYPE_2,
    "Other1PhMax16A": _ac(3_680),
    "Other1PhOver16A": None,
    "Other3Ph": None,
    "OppCharge": None,
    "Pan": None,
    "wInductive": None,
    "wResonant": None,
    "Undetermined": None,
    "Unknown": None,
}

CONNECTOR_TYPES: Final = tuple(_LARGEST)
"""Their names; a station may write them in another case."""

_BY_NAME: Final = {name.lower(): largest for name, largest in _LARGEST.items()}


def largest_power_w(connector_type: str, phases: int | None = None) -> float | None:
    """Return the largest power that a type of connector is made for, in W at nominal voltage; None if nobody can tell.

    Args:
        connector_type: in any case; one that is unknown tells nothing.
        phases: how many of its EVSE are connected; None or 0 if that is not known, or it is one of direct current.
    """
    largest = _BY_NAME.get(connector_type.strip().lower())
    if largest is None:
        return None
    return largest.one_phase_w if phases == 1 else largest.most_w
