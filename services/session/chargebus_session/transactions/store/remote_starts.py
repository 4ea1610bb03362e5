"""Owns what is asked about remote starts that stations name."""

from collections.abc import Sequence
from typing import Final

import asyncpg
from chargebus_runtime.columns import columns

from chargebus_session.tokens.domain import IdToken, id_token
from chargebus_session.transactions.domain.sessions import Report

_NAMED: Final = """
SELECT r.station_id, r.remote_start_id, COALESCE(t.id_token, i.token_key), COALESCE(t.type, '')
FROM unnest($1::text[], $2::bigint[]) AS r (station_id, remote_start_id)
JOIN remote_start AS i ON i.remote_start_id = r.remote_start_id AND i.station_id = r.station_id
LEFT JOIN token AS t ON t.token_key = i.token_key
"""


async def named_tokens(connection: asyncpg.Connection, reports: Sequence[Report]) -> dict[tuple[str, int], IdToken]:
    """Return the tokens of the remote starts that are named, by those of the reports that tell nobody who pays.

    Most batches have none: then nothing is asked.
    """
    wanted = {
        (report.station_id, report.event.remote_start_id)
        for report in reports
        if report.event.remote_start_id is not None and report.event.tells_nobody
    }
    if not wanted:
        return {}
    rows = await connection.fetch(_NAMED, *columns(sorted(wanted)))
    return {(station_id, number): id_token(text, type_) for station_id, number, text, type_ in rows}
