"""The tables: which calls are taken, in which words each version is asked for a log, and how it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chargebus_calls import Routes, Row
from chargebus_commanding import Form, Outcome

from chargebus_firmware.logs import payload, v16, v201
from chargebus_firmware.logs.block import Statuses
from chargebus_firmware.logs.domain.log import Kind, Log, Reply

GET: Final = "log"

ROUTES: Final[Routes] = {
    ("1.6", "DiagnosticsStatusNotification"): Row(v16.diagnostics_status, Statuses),
    ("1.6", "LogStatusNotification"): Row(v16.log_status, Statuses),
    ("2.0.1", "LogStatusNotification"): Row(v201.log_status, Statuses),
    ("2.1", "LogStatusNotification"): Row(v201.log_status, Statuses),
}


@dataclass(frozen=True)
class _Words:
    """The message by which some versions are asked for logs of some kinds, and how its answer is read."""

    versions: tuple[str, ...]
    kinds: frozenset[Kind]
    action: str
    members: Callable[[Log, str], dict[str, object]]
    reply: Callable[[Mapping[str, Any], str], Reply]


_GET_LOG: Final = ("GetLog", payload.get_log, payload.get_log_reply)
_WORDS: Final = (
    _Words(("1.6",), frozenset({"diagnostics"}), "GetDiagnostics", v16.get_diagnostics, v16.get_diagnostics_reply),
    _Words(("1.6",), frozenset({"security"}), *_GET_LOG),
    _Words(("2.0.1", "2.1"), frozenset({"diagnostics", "security"}), *_GET_LOG),
    _Words(("2.1",), frozenset({"data_collector"}), *_GET_LOG),
)


def forms_of(log: Log, location: str) -> tuple[Form, ...]:
    """Return the forms in which a station is asked: one for each version that has words for the kind of log."""
    return tuple(
        Form.of(each.versions, each.action, each.members(log, location))
        for each in _WORDS
        if log.wanted.kind in each.kinds
    )


def reply_of(outcome: Outcome) -> Reply:
    """Return what a station answered, if it did."""
    words = next(each for each in _WORDS if each.action == outcome.action)
    return words.reply(outcome.members, outcome.why)
