"""Values that are set aside: kept as the station wrote them, each once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from chargebus_runtime.rows import Rows

from chargebus_metering.domain.identity import Place
from chargebus_metering.domain.readings import SetAside
from chargebus_metering.store.tables import SetAsideValue

_ROWS = Rows(SetAsideValue, sources={"value": SetAside, "place": Place})
_KEEP = f"{_ROWS.insert_new()} RETURNING station_id, reason"


@dataclass(frozen=True, slots=True)
class KeptValue:
    """A value that is set aside, and where it came from."""

    place: Place
    received_at: datetime
    value: SetAside


async def keep(connection: asyncpg.Connection, kept: Sequence[KeptValue]) -> Counter[tuple[str, str]]:
    """Keep values, each once; return how many were new by station and reason."""
    if not kept:
        return Counter()
    once = {each.value.value_id: each for each in reversed(kept)}
    stored = await connection.fetch(_KEEP, *_ROWS.arguments(reversed(once.values())))
    return Counter((row["station_id"], row["reason"]) for row in stored)
