"""Owns what is asked about contracts whose certificates were refused."""

from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg
from chargebus_runtime.columns import columns

from chargebus_session.tokens.domain import IdToken, registered, token_key
from chargebus_session.transactions.domain.sessions import Report
from chargebus_session.transactions.domain.state import Known, Refusal

_OF_PLACES: Final = """
SELECT r.station_id, r.token_key, r.status, r.shown_at
FROM unnest($1::text[], $2::text[]) AS a (station_id, token_key)
JOIN contract_verdict AS r ON r.token_key = a.token_key AND r.station_id = a.station_id
WHERE r.status <> 'Accepted'
"""
# Of stations that cannot name a remote start it is one that is open.
_VOUCHED_FOR: Final = """
SELECT p.station_id, p.token_key, s.remote_start_id, s.session_id::text
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS p (station_id, token_key, asked_key, shown_at)
JOIN remote_start AS s ON s.station_id = p.station_id AND s.token_key = p.asked_key AND s.requested_at >= p.shown_at
WHERE s.pending OR s.remote_start_id = ANY($5::bigint[])
"""

Place = tuple[str, str]


async def of_reports(connection: asyncpg.Connection, reports: Sequence[Report], known: Known) -> dict[Place, Refusal]:
    """Return where the contracts of reports were refused, by station and key; without contracts nothing is asked."""
    asked_keys: dict[Place, str] = {}
    for report in reports:
        presented = _presented(report, known)
        token = None if presented is None else registered(presented, known.tokens)
        if presented is not None and token is not None and (presented.is_contract or token.itself.is_contract):
            asked_keys[report.station_id, token.itself.key] = token_key(token.id_token)
    if not asked_keys:
        return {}
    rows = await connection.fetch(_OF_PLACES, *columns(sorted(asked_keys)))
    refused = {(row["station_id"], row["token_key"]): Refusal(row["status"], row["shown_at"]) for row in rows}
    if refused:
        await _add_operators_word(connection, reports, refused, asked_keys)
    return refused


async def _add_operators_word(
    connection: asyncpg.Connection,
    reports: Sequence[Report],
    refused: dict[Place, Refusal],
    asked_keys: Mapping[Place, str],
) -> None:
    """Add the remote starts that were asked for since; few contracts are refused, and so few are asked about."""
    places = [(*place, asked_keys[place], refusal.shown_at) for place, refusal in sorted(refused.items())]
    named = {report.event.remote_start_id for report in reports} - {None}
    rows = await connection.fetch(_VOUCHED_FOR, *columns(places), list(named))
    for station_id, key, remote_start_id, session_id in rows:
        refused[station_id, key].vouched_for[remote_start_id] = session_id


def _presented(report: Report, known: Known) -> IdToken | None:
    """Return the token that is there to charge: that of a report, or of the remote start that it names."""
    event = report.event
    if event.tells_nobody and event.remote_start_id is not None:
        return known.named.get((report.station_id, event.remote_start_id))
    return event.token if event.starts else None
