"""The dialect of each version."""

from collections.abc import Callable, Mapping
from typing import Final

from chargebus_ocppj.versions import Version

from chargebus_station.config import EnergyUnit
from chargebus_station.dialect import Dialect
from chargebus_station.v16 import V16
from chargebus_station.v21 import V21
from chargebus_station.v201 import V201

DIALECTS: Final[Mapping[Version, Callable[[EnergyUnit], Dialect]]] = {"1.6": V16, "2.0.1": V201, "2.1": V21}
