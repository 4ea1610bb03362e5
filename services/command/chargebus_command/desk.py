"""Decides and writes: what Kafka, HTTP and time all do once the stations' rows are locked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from chargebus_command import ledger, stations
from chargebus_command.changes import changes
from chargebus_command.domain.decision import Decision, Surroundings
from chargebus_command.domain.events import Event
from chargebus_command.domain.queue import decide
from chargebus_command.domain.state import Connection, Edge, Rules, Station, Void
from chargebus_command.ledger import Origin
from chargebus_command.metrics import CommandMetrics
from chargebus_command.payloads import misfit


@dataclass(frozen=True)
class Case:
    """Locked stations, what happened to them, and the edges as they are known; `origins` by command id."""

    stations: Mapping[str, Station]
    edges: Mapping[int, Edge]
    now: datetime
    events: Mapping[str, Sequence[Event]] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)


class Desk:
    """Takes cases to decisions, and those into the database."""

    def __init__(self, rules: Rules, metrics: CommandMetrics) -> None:
        self.rules = rules
        self._metrics = metrics

    async def carry_out(self, connection: asyncpg.Connection, case: Case) -> dict[str, Decision]:
        """Decide for each station and write what changes, inside the caller's transaction."""
        around = Surroundings(case.edges, self.rules, misfit, case.now)
        decisions = {
            station_id: decide(station, case.events.get(station_id, ()), around)
            for station_id, station in case.stations.items()
        }
        changed = [(case.stations[key], decision) for key, decision in decisions.items()]
        await self._write(connection, changed, case.origins)
        for decision in decisions.values():
            self._metrics.count(decision)
        return decisions

    async def _write(
        self,
        connection: asyncpg.Connection,
        changed: Sequence[tuple[Station, Decision]],
        origins: Mapping[str, Origin],
    ) -> None:
        found = [changes(before, decision) for before, decision in changed]
        await stations.write(connection, [now.station for old, now in changed if _row(old) != _row(now.station)])
        # Ends go first: the place in flight must be free, in the index too, before the next command takes it.
        await ledger.end(connection, [end for each in found for end in each.ended])
        await ledger.move(connection, [command for each in found for command in each.moved])
        await ledger.insert(connection, [new for each in found for new in each.new], origins)


def _row(station: Station) -> tuple[bool, Connection | None, Void | None]:
    """Return what a station's row holds; its commands have rows of their own."""
    return station.registered, station.connection, station.void
