"""The ledger in the database: commands written as decisions want it, in sets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_events.commands import CommandForm
from chargebus_runtime.rows import Rows

from chargebus_command.domain.state import NO_REPLY, Command, Ended, Reply, Sent
from chargebus_command.errors import TwiceEndedError
from chargebus_command.payload import AS_IT_IS, Keeping
from chargebus_command.store.tables import CommandRow

ENDED_CHANNEL: Final = "chargebus_command_ended"


class Origin(msgspec.Struct, frozen=True):
    """How a command came here, beside what it is: who called, and by which idempotency key and body."""

    requested_by: str = ""
    idempotency_key: str | None = None
    fingerprint: str = ""
    awaited: bool = False


FROM_A_SERVICE: Final = Origin()


class Entry(msgspec.Struct, frozen=True):
    """A command on its way into its row: its columns are its own attributes, the command's, or its origin's."""

    command: Command
    origin: Origin = FROM_A_SERVICE
    end: Ended | None = None
    keeping: Keeping = AS_IT_IS

    @property
    def command_id(self) -> str:
        """The command's key."""
        return self.command.command_id

    @property
    def open_forms(self) -> tuple[CommandForm, ...] | None:
        """What may still be sent, with its secrets, sealed."""
        return self.keeping.waiting(self.command) if self.end is None else None

    @property
    def action(self) -> str:
        """That of the form that was sent, or of the first one."""
        return self.command.form.action

    @property
    def payload(self) -> str:
        """That of the same form, without its secrets."""
        return self.keeping.shown(self.command.form).decode()

    @property
    def version(self) -> str:
        """In which it was sent."""
        return "" if self._sent is None else self._sent.version

    @property
    def state(self) -> str:
        """How far it has come."""
        if self.end is not None:
            return "ended"
        return "queued" if self._sent is None else "sent"

    @property
    def due_at(self) -> datetime:
        """When time does something about it."""
        if self._sent is not None:
            return self._sent.deadline_at
        absent_until = self.command.absent_until
        return self.command.expires_at if absent_until is None else min(absent_until, self.command.expires_at)

    @property
    def slot(self) -> int | None:
        """Through which edge it was sent."""
        return None if self._sent is None else self._sent.slot

    @property
    def epoch(self) -> int | None:
        """On which connection it was sent."""
        return None if self._sent is None else self._sent.epoch

    @property
    def sent_at(self) -> datetime | None:
        """When it was sent."""
        return None if self._sent is None else self._sent.sent_at

    @property
    def outcome(self) -> str | None:
        """How it ended."""
        return None if self.end is None else self.end.outcome

    @property
    def ended_at(self) -> datetime | None:
        """When it ended."""
        return None if self.end is None else self.end.ended_at

    @property
    def reason(self) -> str:
        """Why it was not answered."""
        return "" if self.end is None else self.end.reason

    @property
    def reply(self) -> str | None:
        """The payload of the station's answer."""
        return _text(self._reply.payload)

    @property
    def error_code(self) -> str:
        """The code of a CALLERROR."""
        return self._reply.error_code

    @property
    def error_description(self) -> str:
        """Its words."""
        return self._reply.error_description

    @property
    def error_details(self) -> str | None:
        """Its details."""
        return _text(self._reply.error_details)

    @property
    def _sent(self) -> Sent | None:
        return self.command.sent

    @property
    def _reply(self) -> Reply:
        return NO_REPLY if self.end is None else self.end.reply


_SOURCES: Final = {"origin": Origin, "command": Command}
_NEW: Final = Rows(
    CommandRow,
    only=CommandRow.model_fields.keys() - {"number"},
    sources=_SOURCES,
    in_given_order=True,  # `number` counts them as they were asked for
)
_PROGRESS: Final = Rows(
    CommandRow,
    only=(
        "command_id",
        "action",
        "payload",
        "version",
        "state",
        "due_at",
        "absent_until",
        "held_until",
        "slot",
        "epoch",
        "sent_at",
    ),
    sources=_SOURCES,
)
_END: Final = Rows(
    CommandRow,
    only=(
        "command_id",
        "open_forms",
        "state",
        "outcome",
        "ended_at",
        "reason",
        "reply",
        "error_code",
        "error_description",
        "error_details",
    ),
    sources=_SOURCES,
)
_CHANNEL: Final = f"${len(_END.names) + 1}"
_WRITE_NEW: Final = _NEW.insert()
_WRITE_PROGRESS: Final = _PROGRESS.update()
_WRITE_ENDS: Final = f"""
WITH ended AS ({_END.update()} AND t.state <> 'ended' RETURNING t.command_id, t.awaited)
SELECT command_id, CASE WHEN awaited THEN pg_notify({_CHANNEL}, command_id) END FROM ended
"""  # noqa: S608 - no input
_KNOWN: Final = "SELECT command_id FROM command WHERE command_id = ANY($1::text[])"
_BY_KEY: Final = """
SELECT c.command_id, c.station_id, c.idempotency_key, c.fingerprint
FROM command AS c JOIN unnest($1::text[], $2::text[]) AS k (station_id, idempotency_key)
    ON c.station_id = k.station_id AND c.idempotency_key = k.idempotency_key
"""
_AWAIT: Final = "UPDATE command SET awaited = true WHERE command_id = ANY($1::text[]) AND NOT awaited"


class Keyed(msgspec.Struct, frozen=True):
    """A command that was asked for under an idempotency key."""

    command_id: str
    fingerprint: str


Key = tuple[str, str]
"""A station and an idempotency key."""


async def known(connection: asyncpg.Connection, command_ids: Collection[str]) -> set[str]:
    """Return those of the ids that the ledger has."""
    if not command_ids:
        return set()
    return {row["command_id"] for row in await connection.fetch(_KNOWN, list(command_ids))}


async def by_key(connection: asyncpg.Connection, keys: Collection[Key]) -> dict[Key, Keyed]:
    """Return the commands that were asked for under some of the keys."""
    if not keys:
        return {}
    rows = await connection.fetch(_BY_KEY, [station_id for station_id, _ in keys], [key for _, key in keys])
    return {(row["station_id"], row["idempotency_key"]): Keyed(row["command_id"], row["fingerprint"]) for row in rows}


async def await_end(connection: asyncpg.Connection, command_ids: Collection[str]) -> None:
    """Note that calls wait for the ends of these commands."""
    if command_ids:
        await connection.execute(_AWAIT, list(command_ids))


async def insert(
    connection: asyncpg.Connection,
    commands: Sequence[Command | Ended],
    origins: Mapping[str, Origin],
    keeping: Keeping,
) -> None:
    """Write commands that were never written before, open or ended, in the order they were asked for."""
    if commands:
        await connection.execute(_WRITE_NEW, *_NEW.arguments(_entries(commands, origins, keeping)))


async def move(connection: asyncpg.Connection, commands: Sequence[Command], keeping: Keeping) -> None:
    """Write the state of commands that are still open."""
    if commands:
        await connection.execute(_WRITE_PROGRESS, *_PROGRESS.arguments(_entries(commands, {}, keeping)))


async def end(connection: asyncpg.Connection, ended: Sequence[Ended]) -> None:
    """Write the ends of commands, and wake who waits for them once the transaction commits.

    Raises:
        TwiceEndedError: one of them has already ended.
    """
    if not ended:
        return
    written = await connection.fetch(_WRITE_ENDS, *_END.arguments(_entries(ended, {}, AS_IT_IS)), ENDED_CHANNEL)
    if len(written) != len(ended):
        raise TwiceEndedError(f"{len(ended) - len(written)} of {len(ended)} commands had already ended")


def _entries(commands: Iterable[Command | Ended], origins: Mapping[str, Origin], keeping: Keeping) -> Iterable[Entry]:
    for each in commands:
        command, ended = (each.command, each) if isinstance(each, Ended) else (each, None)
        yield Entry(command, origins.get(command.command_id, FROM_A_SERVICE), ended, keeping)


def _text(json: bytes | None) -> str | None:
    return None if json is None else json.decode("utf-8", "replace")
