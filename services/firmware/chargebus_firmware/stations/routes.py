"""The tables: in which words stations are asked over what they transfer files, and how their answers are read."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from chargebus_commanding import Form, Outcome

from chargebus_firmware.stations import v16, v201
from chargebus_firmware.stations.domain import protocols_in

PROTOCOLS: Final = "file_transfer_protocols"

_READ: Final[Mapping[str, Callable[[Mapping[str, Any]], object]]] = {
    "GetConfiguration": v16.told,
    "GetVariables": v201.told,
}
_UNSUPPORTED: Final = frozenset({"NotImplemented", "NotSupported"})


def protocols_forms() -> tuple[Form, ...]:
    """Return the forms in which a station is asked."""
    return (
        Form.of(("1.6",), "GetConfiguration", v16.get_configuration()),
        Form.of(("2.0.1", "2.1"), "GetVariables", v201.get_variables()),
    )


def protocols_of(outcome: Outcome) -> tuple[str, ...] | None:
    """Return what a station says: nothing, where it knows no such request or variable; None: it did not say."""
    if outcome.name == "answered":
        read = _READ.get(outcome.action)
        return () if read is None else protocols_in(read(outcome.members))
    return () if outcome.name == "refused" and outcome.error_code in _UNSUPPORTED else None
