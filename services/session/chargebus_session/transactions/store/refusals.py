"""Owns what is asked about contracts whose certificates were refused."""

from collections.abc import Sequence
from typing import Final

import asyncpg
from chargebus_runtime.columns import columns

from chargebus_session.tokens.domain import ContractRefusal, IdToken, registered
from chargebus_session.transactions.domain.sessions import Report
from chargebus_session.transactions.domain.state import Known

_OF_PLACES: Final = """
SELECT r.station_id, r.token_key, r.status, r.refused_at
FROM unnest($1::text[], $2::text[]) AS a (station_id, token_key)
JOIN contract_refusal AS r ON r.token_key = a.token_key AND r.station_id = a.station_id
"""


async def of_reports(
    connection: asyncpg.Connection, reports: Sequence[Report], known: Known
) -> dict[tuple[str, str], ContractRefusal]:
    """Return where the contracts of reports were refused, by station and key; without contracts nothing is asked."""
    places = set()
    for report in reports:
        presented = _presented(report, known)
        token = None if presented is None or not report.event.starts else registered(presented, known.tokens)
        if presented is not None and token is not None and (presented.is_contract or token.itself.is_contract):
            places.add((report.station_id, token.itself.key))
    if not places:
        return {}
    rows = await connection.fetch(_OF_PLACES, *columns(sorted(places)))
    return {(row["station_id"], row["token_key"]): ContractRefusal(**row) for row in rows}


def _presented(report: Report, known: Known) -> IdToken | None:
    """Return the token of a report, or that of the remote start that it names."""
    event = report.event
    if not event.tells_nobody or event.remote_start_id is None:
        return event.token
    return known.named.get((report.station_id, event.remote_start_id), event.token)
