"""The ledger in the database: commands written as decisions want it, in sets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
from chargebus_runtime.columns import columns

from chargebus_command.domain.state import NO_REPLY, Command, Ended

ENDED_CHANNEL = "chargebus_command_ended"

_KNOWN = "SELECT command_id FROM command WHERE command_id = ANY($1::text[])"
_INSERT = """
INSERT INTO command (command_id, station_id, action, payload, versions, requester, requested_at, timeout_s, ttl_s,
    expires_at, requested_by, idempotency_key, fingerprint, awaited, state, due_at, slot, epoch, sent_at,
    outcome, ended_at, reason, reply, error_code, error_description, error_details)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
    $8::float8[], $9::float8[], $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::bool[],
    $15::text[], $16::timestamptz[], $17::int[], $18::bigint[], $19::timestamptz[],
    $20::text[], $21::timestamptz[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[])
"""
_MOVE = """
UPDATE command AS c SET state = n.state, due_at = n.due_at, slot = n.slot, epoch = n.epoch, sent_at = n.sent_at
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::int[], $5::bigint[], $6::timestamptz[])
    AS n (command_id, state, due_at, slot, epoch, sent_at)
WHERE c.command_id = n.command_id
"""
_END = """
WITH ended AS (
    UPDATE command AS c SET state = 'ended', outcome = n.outcome, ended_at = n.ended_at, reason = n.reason,
        reply = n.reply, error_code = n.error_code, error_description = n.error_description,
        error_details = n.error_details
    FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
        AS n (command_id, outcome, ended_at, reason, reply, error_code, error_description, error_details)
    WHERE c.command_id = n.command_id AND c.state <> 'ended'
    RETURNING c.command_id, c.awaited
)
SELECT command_id, CASE WHEN awaited THEN pg_notify($9, command_id) END FROM ended
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a command came here, beside what it is: who called, and by which idempotency key and body."""

    requested_by: str = ""
    idempotency_key: str | None = None
    fingerprint: str = ""
    awaited: bool = False


FROM_A_SERVICE = Origin()


class TwiceEndedError(Exception):
    """A command was about to end a second time: the station's lock was not held."""


async def known(connection: asyncpg.Connection, command_ids: Collection[str]) -> set[str]:
    """Return those of the ids that the ledger has."""
    if not command_ids:
        return set()
    return {row["command_id"] for row in await connection.fetch(_KNOWN, list(command_ids))}


async def insert(
    connection: asyncpg.Connection, commands: Sequence[Command | Ended], origins: Mapping[str, Origin]
) -> None:
    """Write commands that were never written before, open or ended, in the order they were asked for."""
    if commands:
        await connection.execute(_INSERT, *columns(_new_row(each, origins) for each in commands))


async def move(connection: asyncpg.Connection, commands: Sequence[Command]) -> None:
    """Write the state of commands that are still open."""
    if commands:
        await connection.execute(_MOVE, *columns((each.command_id, *_progress(each)) for each in commands))


async def end(connection: asyncpg.Connection, ended: Sequence[Ended]) -> None:
    """Write the ends of commands, and wake who waits for them once the transaction commits.

    Raises:
        TwiceEndedError: one of them has already ended.
    """
    if not ended:
        return
    rows = [(each.command.command_id, *_end(each)) for each in ended]
    written = await connection.fetch(_END, *columns(rows), ENDED_CHANNEL)
    if len(written) != len(ended):
        raise TwiceEndedError(f"{len(ended) - len(written)} of {len(ended)} commands had already ended")


def _new_row(subject: Command | Ended, origins: Mapping[str, Origin]) -> tuple[object, ...]:
    command = subject.command if isinstance(subject, Ended) else subject
    origin = origins.get(command.command_id, FROM_A_SERVICE)
    state, *progress = _progress(command)
    return (
        command.command_id,
        command.station_id,
        command.action,
        command.payload.decode(),
        " ".join(command.versions),
        command.requester,
        command.requested_at,
        command.timeout_s,
        command.ttl_s,
        command.expires_at,
        origin.requested_by,
        origin.idempotency_key,
        origin.fingerprint,
        origin.awaited,
        "ended" if isinstance(subject, Ended) else state,
        *progress,
        *(_end(subject) if isinstance(subject, Ended) else _NO_END),
    )


def _progress(command: Command) -> tuple[object, ...]:
    sent = command.sent
    if sent is None:
        return "queued", command.expires_at, None, None, None
    return "sent", sent.deadline_at, sent.slot, sent.epoch, sent.sent_at


def _end(ended: Ended) -> tuple[object, ...]:
    reply = ended.reply
    return (
        ended.outcome,
        ended.ended_at,
        ended.reason,
        _text(reply.payload),
        reply.error_code,
        reply.error_description,
        _text(reply.error_details),
    )


_NO_END = (None, None, "", None, NO_REPLY.error_code, NO_REPLY.error_description, None)


def _text(json: bytes | None) -> str | None:
    return None if json is None else json.decode("utf-8", "replace")
