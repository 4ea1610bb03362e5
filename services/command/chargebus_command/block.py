"""The queues of stations: decides what happens to them, writes it, and says what is sent.

What Kafka, HTTP and time all do once the stations' rows are locked.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import msgspec
from chargebus_events import commands as records
from chargebus_events.commands import CommandForm
from chargebus_events.public import COMMAND_FAILED, CommandFailed, event
from chargebus_events.record import Record
from chargebus_events.topics import ASKING_SERVICES
from chargebus_runtime.edge_liveness import EdgeLiveness

from chargebus_command.domain.changes import changes
from chargebus_command.domain.decision import Decision, Life, Surroundings, offline_reason
from chargebus_command.domain.events import Event
from chargebus_command.domain.queue import decide
from chargebus_command.domain.state import Avoided, Command, Ended, Rules, Station, StationConnection
from chargebus_command.metrics import Metrics
from chargebus_command.payload import AS_IT_IS, UNREADABLE, Keeping, misfit
from chargebus_command.store import commands, stations
from chargebus_command.store.commands import Origin


@dataclass(frozen=True)
class Situation:
    """Locked stations and what happened to them; `origins` by command id."""

    stations: Mapping[str, Station]
    now: datetime
    events: Mapping[str, Sequence[Event]] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)


class Queues:
    """Takes situations to decisions, and those into the database.

    An edge without a heartbeat for `edge_silence_s` is taken for dead. What the ledger shows is without what `keeping`
    takes for secret, and so is what the edge tells.
    """

    def __init__(
        self,
        rules: Rules,
        edges: EdgeLiveness,
        edge_silence_s: float,
        metrics: Metrics,
        keeping: Keeping = AS_IT_IS,
    ) -> None:
        self.rules = rules
        self.keeping = keeping
        self.secrets = keeping.secrets
        self._edges = edges
        self._edge_silence_s = edge_silence_s
        self._metrics = metrics

    async def take(
        self, connection: asyncpg.Connection, station_ids: Collection[str], now: datetime
    ) -> dict[str, Station]:
        """Lock stations and load them with what waits for them; those without a row are left out."""
        return await stations.take(connection, station_ids, self.keeping, now)

    async def carry_out(self, connection: asyncpg.Connection, situation: Situation) -> dict[str, Decision]:
        """Decide for each station and write what changes, inside the caller's transaction."""
        around = self._around(situation.now)
        decisions = {
            station_id: decide(station, situation.events.get(station_id, ()), around)
            for station_id, station in situation.stations.items()
        }
        changed = [(situation.stations[key], decision) for key, decision in decisions.items()]
        await self._write(connection, changed, situation.origins)
        for decision in decisions.values():
            self._metrics.count(decision)
        return decisions

    def records(self, decision: Decision) -> Iterator[Record]:
        """Yield what a decision sends: the outcomes to the services that asked, then the next command."""
        for ended in decision.ended:
            if ended.command.requester in ASKING_SERVICES and not ended.told:
                yield _outcome(ended)
            if ended.failed:
                yield _failure(ended)
        if decision.sent is not None:
            yield self._down(decision.sent)

    def offline(self, station: Station, now: datetime) -> str:
        """Say why nothing can be sent to a station; an empty string: it is online."""
        return offline_reason(station, self._around(now))

    def living_edges(self) -> list[tuple[int, int]]:
        """Return the slot and the epoch of each edge that lives."""
        return [
            (edge.slot, edge.epoch) for edge in self._edges.newest() if self._life(edge.slot, edge.epoch) == "alive"
        ]

    def ended_edges(self) -> list[tuple[int, int]]:
        """Return each slot with the first epoch that is not over there."""
        return [(edge.slot, edge.epoch + edge.stopped) for edge in self._edges.newest()]

    def misfit(self, form: CommandForm, version: str) -> str:
        """Say why a form cannot be sent in a version, in words that may be kept; an empty string: it can."""
        reason = UNREADABLE if form.sealed else misfit(form, version)
        return reason and self.secrets.purged_text(form.action, bytes(form.payload), reason)

    def _around(self, now: datetime) -> Surroundings:
        return Surroundings(self._life, self.rules, self.misfit, now, self._edges.kafka_clock.now())

    def _life(self, slot: int, epoch: int) -> Life:
        return self._edges.life(slot, epoch, self._edge_silence_s)

    def _down(self, command: Command) -> Record:
        sent = command.sent
        if sent is None:
            raise ValueError(f"command {command.command_id} is not sent")
        return records.Command(
            command_id=command.command_id,
            station_id=command.station_id,
            action=sent.form.action,
            payload=bytes(sent.form.payload),
            slot=sent.slot,
            epoch=sent.epoch,
            timeout_s=command.timeout_s,
            sent_at=sent.sent_at,
            expires_at=self._edges.kafka_clock.to_kafka(command.expires_at),
            secret_names=self.keeping.secret_names,
        ).record()

    async def _write(
        self,
        connection: asyncpg.Connection,
        changed: Sequence[tuple[Station, Decision]],
        origins: Mapping[str, Origin],
    ) -> None:
        found = [changes(before, decision) for before, decision in changed]
        await stations.write(connection, [now.station for old, now in changed if _row(old) != _row(now.station)])
        # Ends go first: the place in flight must be free, in the index too, before the next command takes it.
        await commands.end(connection, [end for each in found for end in each.ended])
        await commands.move(connection, [command for each in found for command in each.moved], self.keeping)
        await commands.insert(connection, [new for each in found for new in each.new], origins, self.keeping)


def _row(station: Station) -> tuple[bool, StationConnection | None, Avoided | None]:
    """Return what a station's row holds; its commands have rows of their own."""
    return station.registered, station.connection, station.avoided


def _outcome(ended: Ended) -> Record:
    command, reply = ended.command, ended.reply
    return records.CommandOutcome(
        command_id=command.command_id,
        station_id=command.station_id,
        requester=command.requester,
        outcome=ended.outcome,
        requested_at=command.requested_at,
        ended_at=ended.ended_at,
        intent=command.intent,
        subject=command.subject,
        action="" if command.sent is None else command.sent.form.action,
        version="" if command.sent is None else command.sent.version,
        payload=_raw(reply.payload),
        error_code=reply.error_code,
        error_description=reply.error_description,
        error_details=_raw(reply.error_details),
        reason=ended.reason,
    ).record()


def _failure(ended: Ended) -> Record:
    command, sent = ended.command, ended.command.sent
    body = CommandFailed(
        command.station_id,
        command.command_id,
        ended.ended_at,
        "" if sent is None else sent.form.action,
        "refused" if ended.outcome == "refused" else "timed_out",
        command.requester,
        ended.reply.error_code,
        "" if sent is None else sent.version,
    )
    return event(COMMAND_FAILED, f"{command.command_id}/failed", "/command", ended.ended_at, body)


def _raw(json: bytes | None) -> msgspec.Raw | None:
    return None if json is None else msgspec.Raw(json)
