"""The steering of EVSEs, and what came of what they were told, read and written in sets."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_runtime.rows import Rows

from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.steering.domain.held import Pulled
from chargebus_smart_charging.steering.domain.stations import Answered
from chargebus_smart_charging.steering.domain.steered import Steered
from chargebus_smart_charging.steering.store.tables import OrderAnswerRow, PulledLimitRow, SteeredEvseRow

_ROWS: Final = Rows(SteeredEvseRow)
_ANSWERS: Final = Rows(OrderAnswerRow)
_PULLED: Final = Rows(PulledLimitRow)
_ASKED: Final = "unnest($1::text[], $2::bigint[]) AS asked (station_id, evse_id)"
_LOAD: Final = f"SELECT s.* FROM {_ASKED} JOIN steered_evse AS s USING (station_id, evse_id)"  # noqa: S608
_LOAD_ANSWERS: Final = f"""
SELECT a.* FROM {_ASKED} JOIN order_answer AS a USING (station_id, evse_id) ORDER BY a.number
"""  # noqa: S608
_HOLD: Final = f"{_LOAD} ORDER BY s.station_id, s.evse_id FOR SHARE OF s"
_LOAD_PULLED: Final = f"SELECT p.* FROM {_ASKED} JOIN pulled_limit AS p USING (station_id, evse_id)"  # noqa: S608
_KEEP: Final = _ROWS.upsert()
_KEEP_PULLED: Final = _PULLED.upsert()
_TELL: Final = _ANSWERS.insert_new()
_DROP: Final = """
DELETE FROM order_answer AS a USING unnest($1::text[], $2::bigint[], $3::bigint[]) AS n (station_id, evse_id, number)
WHERE (a.station_id, a.evse_id, a.number) = (n.station_id, n.evse_id, n.number)
"""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Steered).decode
_decode_pulled: Final = msgspec.msgpack.Decoder(Pulled).decode


class AnsweredOrder(msgspec.Struct, frozen=True):
    """What came of an order of an EVSE."""

    station_id: str
    evse_id: int
    number: int
    answer: str
    at: datetime
    amperes: float | None = None
    reason: str = ""


class _Row(msgspec.Struct, frozen=True):
    station_id: str
    evse_id: int
    changed_at: datetime
    known: bytes


class _Pulled(msgspec.Struct, frozen=True):
    station_id: str
    evse_id: int
    known: bytes


async def load(connection: asyncpg.Connection, keys: Collection[EvseKey]) -> dict[EvseKey, Steered]:
    """Return the steering of EVSEs, of those that were ever told anything."""
    rows = await connection.fetch(_LOAD, *_columns(keys))
    return {(row["station_id"], row["evse_id"]): _decode(row["known"]) for row in rows}


async def hold(connection: asyncpg.Connection, keys: Collection[EvseKey]) -> dict[EvseKey, Steered]:
    """Return the steering of EVSEs as it stays until the transaction ends."""
    rows = await connection.fetch(_HOLD, *_columns(keys))
    return {(row["station_id"], row["evse_id"]): _decode(row["known"]) for row in rows}


async def pulled(connection: asyncpg.Connection, keys: Collection[EvseKey]) -> dict[EvseKey, Pulled]:
    """Return what stations were answered last that asked for the limits of dynamic profiles of EVSEs."""
    rows = await connection.fetch(_LOAD_PULLED, *_columns(keys))
    return {(row["station_id"], row["evse_id"]): _decode_pulled(row["known"]) for row in rows}


async def keep_pulled(connection: asyncpg.Connection, answered: Mapping[EvseKey, Pulled]) -> None:
    """Keep what stations were answered last."""
    rows = [_Pulled(*key, _encode(each)) for key, each in sorted(answered.items())]
    if rows:
        await connection.execute(_KEEP_PULLED, *_PULLED.arguments(rows))


async def answers(connection: asyncpg.Connection, keys: Collection[EvseKey]) -> dict[EvseKey, list[Answered]]:
    """Return what came of orders of EVSEs and is not in their steering yet, in order."""
    found: dict[EvseKey, list[Answered]] = defaultdict(list)
    for row in await connection.fetch(_LOAD_ANSWERS, *_columns(keys)):
        answered = Answered(row["number"], row["answer"], row["at"], row["amperes"])
        found[row["station_id"], row["evse_id"]].append(answered)
    return found


async def keep(connection: asyncpg.Connection, steered: Mapping[EvseKey, Steered], now: datetime) -> None:
    """Keep the steering of EVSEs."""
    rows = [_Row(*key, now, _encode(steered[key])) for key in sorted(steered)]
    if rows:
        await connection.execute(_KEEP, *_ROWS.arguments(rows))


async def tell(connection: asyncpg.Connection, told: Iterable[AnsweredOrder]) -> None:
    """Note what came of orders, once."""
    rows = list(told)
    if rows:
        await connection.execute(_TELL, *_ANSWERS.arguments(rows))


async def drop(connection: asyncpg.Connection, taken: Mapping[EvseKey, Collection[Answered]]) -> None:
    """Drop what came of orders and is in the steering of their EVSEs now."""
    rows = [(*key, answered.number) for key, answers_taken in taken.items() for answered in answers_taken]
    if rows:
        await connection.execute(_DROP, *(list(column) for column in zip(*rows, strict=True)))


def _columns(keys: Collection[EvseKey]) -> tuple[list[str], list[int]]:
    return [station_id for station_id, _ in keys], [evse_id for _, evse_id in keys]
