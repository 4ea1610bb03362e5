"""Energy readings that stations sent and were answered for, against the meter values that the system shows; pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from chargebus_station.history import Fate, TransactionEntry

from chargebus_testkit.against_sessions import moment, name, to_ms

ENERGY: Final = "Energy.Active.Import.Register"

Key = tuple[datetime | None, float, str]


def compare(entry: TransactionEntry, values: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the objections about one transaction; `values` are all its readings of `ENERGY`."""
    shown = Counter((moment(value["sampled_at"]), round(value["value"], 2), value["context"]) for value in values)
    answered, sent = _readings(entry, Fate.ANSWERED), _readings(entry, *Fate)
    found = [f"{name(entry)}: the reading {_say(key)} is lost" for key in sorted(answered - shown.keys(), key=str)]
    found += [f"{name(entry)}: the reading {_say(key)} is there {n} times" for key, n in shown.items() if n > 1]
    return found + [
        f"{name(entry)}: the reading {_say(key)} was never sent" for key in sorted(shown.keys() - sent, key=str)
    ]


def _readings(entry: TransactionEntry, *fates: Fate) -> set[Key]:
    return {
        (to_ms(reading.at), float(reading.energy_wh), reading.context)
        for message in entry.messages
        if message.fate in fates
        for reading in message.readings
    }


def _say(key: Key) -> str:
    at, wh, context = key
    return f"{context} {wh:g} Wh at {at:%H:%M:%S.%f}"
