"""Commands that were asked for, against their ledger, the outcomes that were told, and stations' histories; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chargebus_station.history import CommandEntry, History

Json = Mapping[str, Any]

_HTTP: Final = "http"
_NEVER_WRITTEN: Final = frozenset({"undeliverable", "expired"})


@dataclass(frozen=True)
class CommandFacts:
    """What is known of one command.

    Attributes:
        ledger: as the HTTP API shows it, None where it does not know it.
        told: the outcomes on `ocpp.outcomes.…`, without those that went out twice; of a call over HTTP there is none.
        heard: what the station wrote down of it, once for each time that it got it.
    """

    command_id: str
    ledger: Json | None
    told: Sequence[Json]
    heard: Sequence[CommandEntry]


def compare(facts: CommandFacts) -> list[str]:
    """Return the objections about one command."""
    name = f"the command {facts.command_id}"
    if facts.ledger is None:
        return [f"{name} was asked for and is not in the ledger"]
    name = f"{facts.ledger['station_id']}: the command {facts.command_id} ({facts.ledger['action']})"
    outcome = facts.ledger.get("outcome")
    if not outcome:
        return [f"{name} has no outcome"]
    found = []
    if len(facts.told) != (0 if facts.ledger["requester"] == _HTTP else 1):
        outcomes = [one["outcome"] for one in facts.told]
        found.append(f"{name} has {len(facts.told)} outcomes on ocpp.outcomes: {outcomes}")
    found += [
        f"{name} is {outcome} in the ledger and {one['outcome']} on ocpp.outcomes"
        for one in facts.told
        if one["outcome"] != outcome
    ]
    if len(facts.heard) > 1:
        found.append(f"{name} reached the station {len(facts.heard)} times")
    disagreement = _disagreement(facts.ledger, facts.heard[0] if facts.heard else None)
    return [*found, f"{name}: {disagreement}"] if disagreement else found


def strangers(history: History, known: Iterable[str]) -> list[str]:
    """Return objections about commands that the station got and nobody asked for."""
    asked_for = set(known)
    return [
        f"{history.station_id}: got a {entry.action} ({entry.message_id}) that nobody asked for"
        for entry in history.commands
        if entry.message_id not in asked_for
    ]


def _disagreement(ledger: Json, entry: CommandEntry | None) -> str:
    """Say how the outcome contradicts what the station did, or return an empty string.

    `timed_out` contradicts nothing: an answer may be lost on its way. An answer that breaks its schema is not compared:
    a station that is told to send one writes down what it meant.
    """
    outcome = ledger["outcome"]
    if outcome in _NEVER_WRITTEN:
        return f"it is {outcome}, and the station got it" if entry is not None else ""
    error = ledger["error"]
    if outcome == "answered" and error is None:
        answered = None if entry is None else entry.answered
        reply = ledger["reply"]
        return "" if answered == reply else f"it was answered {answered!r} and the ledger has {reply!r}"
    if outcome == "refused":
        refused = None if entry is None else entry.refused
        code = error and error["code"]
        return "" if refused == code else f"it was refused with {refused!r} and the ledger has {code!r}"
    return ""
