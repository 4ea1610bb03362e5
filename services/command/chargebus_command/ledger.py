"""The ledger in the database: commands written as decisions want it, in sets."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import msgspec
from chargebus_events.commands import CommandForm
from chargebus_runtime.columns import columns

from chargebus_command.domain.state import NO_REPLY, Command, Ended, Form

ENDED_CHANNEL = "chargebus_command_ended"

_KNOWN = "SELECT command_id FROM command WHERE command_id = ANY($1::text[])"
_INSERT = """
INSERT INTO command (command_id, station_id, requester, intent, subject, requested_at, timeout_s, ttl_s,
    expires_at, requested_by, idempotency_key, fingerprint, awaited, forms, action, payload, version, state, due_at,
    slot, epoch, sent_at, outcome, ended_at, reason, reply, error_code, error_description, error_details)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
    $7::float8[], $8::float8[], $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::bool[],
    $14::json[], $15::text[], $16::text[], $17::text[], $18::text[], $19::timestamptz[],
    $20::int[], $21::bigint[], $22::timestamptz[],
    $23::text[], $24::timestamptz[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[])
"""
_MOVE = """
UPDATE command AS c SET action = n.action, payload = n.payload, version = n.version, state = n.state,
    due_at = n.due_at, slot = n.slot, epoch = n.epoch, sent_at = n.sent_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::int[], $8::bigint[],
    $9::timestamptz[])
    AS n (command_id, action, payload, version, state, due_at, slot, epoch, sent_at)
WHERE c.command_id = n.command_id
"""
_END = """
WITH ended AS (
    UPDATE command AS c SET state = 'ended', outcome = n.outcome, ended_at = n.ended_at, reason = n.reason,
        reply = n.reply, error_code = n.error_code, error_description = n.error_description,
        error_details = n.error_details, forms = NULL
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


_read_forms = msgspec.json.Decoder(tuple[CommandForm, ...]).decode


class TwiceEndedError(Exception):
    """A command was about to end a second time: the station's lock was not held."""


def forms_to_json(forms: Sequence[Form]) -> str:
    """Return forms as their column has them: as they came."""
    return msgspec.json.encode(
        [CommandForm(form.action, msgspec.Raw(form.payload), form.versions) for form in forms]
    ).decode()


def forms_from_json(column: str) -> tuple[Form, ...]:
    """Return the forms that stand in their column."""
    return forms_of(_read_forms(column))


def forms_of(told: Sequence[CommandForm]) -> tuple[Form, ...]:
    """Return the forms that a record has."""
    return tuple(Form(form.action, bytes(form.payload), form.versions) for form in told)


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
    action, payload, version, state, *progress = _progress(command)
    return (
        command.command_id,
        command.station_id,
        command.requester,
        command.intent,
        command.subject,
        command.requested_at,
        command.timeout_s,
        command.ttl_s,
        command.expires_at,
        origin.requested_by,
        origin.idempotency_key,
        origin.fingerprint,
        origin.awaited,
        None if isinstance(subject, Ended) else forms_to_json(command.forms),
        action,
        payload,
        version,
        "ended" if isinstance(subject, Ended) else state,
        *progress,
        *(_end(subject) if isinstance(subject, Ended) else _NO_END),
    )


def _progress(command: Command) -> tuple[object, ...]:
    sent, form = command.sent, command.form
    shown = (form.action, form.payload.decode())
    if sent is None:
        return *shown, "", "queued", command.expires_at, None, None, None
    return *shown, sent.version, "sent", sent.deadline_at, sent.slot, sent.epoch, sent.sent_at


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
