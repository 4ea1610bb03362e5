"""OCPP 2.1: what it adds: roots of vehicles' manufacturers, and longer certificates."""

from collections.abc import Mapping
from typing import Final

from chargebus_security.trust import v201

TYPES: Final[Mapping[str, str]] = {**v201.TYPES, "OEMRootCertificate": "OEMRootCertificate"}
LONGEST: Final = 10_000


def reports(types: tuple[str, ...]) -> list[tuple[tuple[str, ...], dict[str, object]]]:
    """Return what asks for some types, or for all."""
    wanted = tuple(each for each in types if each in TYPES or each == v201.CHAIN)
    if types and not wanted:
        return []
    return [(wanted, {"certificateType": list(wanted)} if wanted else {})]
