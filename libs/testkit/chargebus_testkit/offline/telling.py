"""How a station tells its life: by its own clock, under its own ids and numbers, in the words of its version."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from chargebus_testkit.offline.lives import Charge, Happening, Life
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.times import written

Json = dict[str, Any]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ISSUED: Final = "transactionId"
"""The member of 1.6 that a station fills in when it sends a stop: until the start is answered it has no id."""

_CONTEXTS: Final = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}


@dataclass(frozen=True)
class Told:
    """A message in a station's queue: what it is about, and what it says of when and under which number."""

    charge: Charge
    happening: Happening
    at: datetime
    transaction_id: str
    seq_no: int
    action: str
    payload: Json


def queue(life: Life) -> Sequence[Told]:
    """Return all that a station has to tell, in the order in which it happened."""
    happened = sorted(
        ((each, charge) for charge in life.charges for each in charge.happenings), key=lambda pair: pair[0].at
    )
    return [told for told in _told(life, happened) if told.action]


def clock(life: Life, at: datetime) -> datetime:
    """Return what the station's clock shows: since it has power, without the CSMS, it counts from 1970."""
    start = life.started_before(at)
    if life.make.keeps_time or any(start <= contact <= at for contact in life.contacts):
        return at
    return EPOCH + (at - start)


def _told(life: Life, happened: Sequence[tuple[Happening, Charge]]) -> list[Told]:
    ids: dict[int, str] = {}
    given: dict[datetime, int] = defaultdict(int)
    numbers: dict[tuple[int, datetime | None], int] = defaultdict(int)
    found: list[Told] = []
    for happening, charge in happened:
        start = life.started_before(happening.at)
        if happening.kind == "Started":
            given[start] += 1
            ids[charge.number] = f"{given[start]}" if life.make.counts_anew else f"{life.station_id}/{charge.number}"
        counted = charge.number, start if life.make.numbers_anew else None
        seq_no = numbers[counted]
        numbers[counted] += 1
        action, payload = _WORDS[life.make.version](life, charge, happening, ids[charge.number], seq_no)
        if life.make.sloppy:
            payload = {**_as_text(payload), "reservationId": None, "vendorData": {"build": 7}}
        at = clock(life, happening.at)
        found.append(Told(charge, happening, at, ids[charge.number], seq_no, action, payload))
    return found


def _as_text(payload: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a payload with texts instead of numbers."""
    match payload:
        case dict():
            return {name: _as_text(value) for name, value in payload.items()}
        case list():
            return [_as_text(value) for value in payload]
        case bool():
            return payload
        case int():
            return f"{payload}"
        case _:
            return payload


def _v16(life: Life, charge: Charge, happening: Happening, _id: str, _number: int) -> tuple[str, Json]:
    """Return a start or a stop; readings between them are no transaction messages in 1.6."""
    at = written(clock(life, happening.at))
    if happening.kind == "Started":
        return "StartTransaction", v16.start(at, happening.wh, charge.driver, charge.evse_id)
    if happening.kind == "Ended":
        return "StopTransaction", v16.stop(0, at, happening.wh, idTag=charge.driver)
    return "", {}


def _v201(life: Life, charge: Charge, happening: Happening, transaction_id: str, seq_no: int) -> tuple[str, Json]:
    at, kind = written(clock(life, happening.at)), happening.kind
    more: Json = {"offline": True, "evse": {"id": charge.evse_id, "connectorId": 1}}
    if kind == "Started":
        more["idToken"] = v201.id_token(charge.driver)
    more["context"] = _CONTEXTS.get(kind, "Sample.Periodic") if life.make.contexts else "Sample.Periodic"
    return "TransactionEvent", v201.event(kind, transaction_id, seq_no, at, happening.wh, **more)


_WORDS: Final[Mapping[str, Any]] = {"1.6": _v16, "2.0.1": _v201, "2.1": _v201}
