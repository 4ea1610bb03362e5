"""The checker: compares the histories of virtual stations with what a whole system says, in every place it says it.

It waits until the system has settled, then returns objections in words. An empty list means: every transaction that a
station got an answer for is there exactly once and right, each of its readings too, every command has the one outcome
that agrees with what its station did, nothing is parked, no outbox row is left, and no service has a hole in its log.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx
import msgspec
from aiokafka import TopicPartition
from chargebus_events.record import Received
from chargebus_events.topics import ASKING_SERVICES, COMMANDS, EDGES, outcomes_topic
from chargebus_station.history import CommandEntry, History

from chargebus_testkit import against_commands, against_readings, against_sessions, leftovers
from chargebus_testkit.against_commands import CommandFacts
from chargebus_testkit.api import Api, ApiError, Json
from chargebus_testkit.leftovers import Standing
from chargebus_testkit.log import EVERYTHING, Log
from chargebus_testkit.system import System

T = TypeVar("T")
R = TypeVar("R")

SETTLE_WITHIN_S: Final = 180.0  # stations that tests left in a transaction are asked for more than a minute
_LOOK_EVERY_S: Final = 0.2
_AT_ONCE: Final = 8
_OUTCOMES: Final = tuple(map(outcomes_topic, ASKING_SERVICES))
_OF_COMMANDS: Final = (COMMANDS, *_OUTCOMES)
_OPEN: Final = ("queued", "sent")


@dataclass(frozen=True)
class Expected:
    """What the system should know.

    Attributes:
        histories: of every station that took part.
        commands: ids of commands that were asked for over HTTP.
        parked: `ce_id`s of records that are rightly parked.
    """

    histories: Sequence[History] = ()
    commands: Sequence[str] = ()
    parked: frozenset[str] = frozenset()


class Checker:
    """Checks one system, as often as wanted."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._since: Mapping[TopicPartition, int] = EVERYTHING

    async def begin(self) -> None:
        """Have later checks read what was told of commands from here on: nobody asks for earlier ones."""
        async with Log(self._system.kafka_connection) as log:
            self._since = await log.ends(_OF_COMMANDS)

    async def objections(self, expected: Expected, within_s: float = SETTLE_WITHIN_S) -> list[str]:
        """Return what is wrong with the system, in words."""
        async with Log(self._system.kafka_connection) as log, self._system.api() as api:
            return await _Check(self._system, log, api, self._since).objections(expected, within_s)


@dataclass(frozen=True)
class _Check:
    """One check, with what it reads from."""

    system: System
    log: Log
    api: Api
    since: Mapping[TopicPartition, int]

    async def objections(self, expected: Expected, within_s: float) -> list[str]:
        crashed = [f"{process.name} ended by itself" for process in self.system.processes if process.crashed]
        if crashed:
            return crashed
        found = await self._settle(within_s)
        found += [leftovers.say(one) for one in await leftovers.parked(self.log) if _id(one) not in expected.parked]
        found += leftovers.holes(await self._standings())
        found += [one for objections in await _each(self._transactions, expected.histories) for one in objections]
        return found + await self._commands(expected)

    async def _settle(self, within_s: float) -> list[str]:
        """Wait until everything is applied and sent, and every command has ended; say what is not."""
        deadline = time.monotonic() + within_s
        while True:
            unfinished = await self._unfinished()
            if not unfinished or time.monotonic() > deadline:
                return unfinished
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _unfinished(self) -> list[str]:
        """Say what is not finished.

        The ends of the log are read before and after: what an applied record made is sent by then, and shows there.
        """
        standings = await self._standings()
        topics = {tp.topic for one in standings for tp in one.offsets} - {
            EDGES
        }  # edges never stop telling that they live
        before = await self.log.ends(topics)
        standings = await self._standings()
        found = leftovers.lags(standings, before) + leftovers.unsent(standings) + await self._open_commands()
        if found:
            return found
        after = await self.log.ends(topics)
        return [f"{topic} still grows" for topic in sorted({tp.topic for tp in after if after[tp] != before[tp]})]

    async def _standings(self) -> list[Standing]:
        return [await leftovers.standing(self.system, service) for service in self.system.databases]

    async def _open_commands(self) -> list[str]:
        waiting = [one for state in _OPEN for one in await self._list("/v1/commands", state=state)]
        return [f"the command {one['command_id']} for {one['station_id']} is still {one['state']}" for one in waiting]

    async def _transactions(self, history: History) -> list[str]:
        sessions = await self._list("/v1/sessions", station_id=history.station_id)
        found = against_sessions.compare(history, sessions)
        for entry in history.transactions:
            for session in [session for session in sessions if against_sessions.is_of(entry, session)][:1]:
                found += against_readings.compare(entry, await self._readings(session["session_id"]))
        return found

    async def _readings(self, session_id: str) -> list[Json]:
        """Return the energy readings of a session; none of one that metering does not know."""
        try:
            return await self._list(f"/v1/sessions/{session_id}/meter-values", measurand=against_readings.ENERGY)
        except ApiError as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise
            return []

    async def _commands(self, expected: Expected) -> list[str]:
        stations = {history.station_id for history in expected.histories}
        if not stations:
            return []
        told = _outcomes(await self._told(*_OUTCOMES), stations)
        requested = _requests(await self._told(COMMANDS), stations)
        in_ledger = [name for names in await _each(self._in_ledger, stations) for name in names]
        asked_for = {*expected.commands, *told, *requested, *in_ledger}
        heard = _heard(expected.histories)
        found = []
        ids = sorted(asked_for)
        for command_id, ledger in zip(ids, await _each(self._ledger, ids), strict=True):
            entries = heard.get(command_id, [])
            found += against_commands.compare(CommandFacts(command_id, ledger, told.get(command_id, []), entries))
        return found + [
            stranger for history in expected.histories for stranger in against_commands.strangers(history, asked_for)
        ]

    async def _in_ledger(self, station_id: str) -> list[str]:
        """Return the commands that the ledger has of a station: those of HTTP go over no topic."""
        return [command["command_id"] for command in await self._list(f"/v1/stations/{station_id}/commands")]

    async def _told(self, *topics: str) -> Sequence[Received]:
        return await self.log.read(*topics, since=self.since)

    async def _ledger(self, command_id: str) -> Json | None:
        response = await self.api.request("GET", f"/v1/commands/{command_id}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        ledger: Json = response.raise_for_status().json()
        return ledger

    async def _list(self, path: str, **query: object) -> list[Json]:
        return [item async for item in self.api.items(path, **query)]


async def _each(look: Callable[[T], Awaitable[R]], items: Iterable[T]) -> list[R]:
    """Look at each item, a few at once."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def take(item: T) -> R:
        async with turns:
            return await look(item)

    async with asyncio.TaskGroup() as looking:
        tasks = [looking.create_task(take(item)) for item in items]
    return [task.result() for task in tasks]


def _outcomes(records: Iterable[Received], stations: Container[str]) -> Mapping[str, list[Json]]:
    """Group outcomes by command; one that went out twice, word for word, counts once."""
    found: dict[str, list[Json]] = defaultdict(list)
    for record in records:
        outcome = msgspec.json.decode(record.value or b"{}")
        if record.key in stations and outcome not in found[outcome["command_id"]]:
            found[outcome["command_id"]].append(outcome)
    return found


def _requests(records: Iterable[Received], stations: Container[str]) -> set[str]:
    return {msgspec.json.decode(record.value or b"{}")["command_id"] for record in records if record.key in stations}


def _heard(histories: Iterable[History]) -> Mapping[str, list[CommandEntry]]:
    found: dict[str, list[CommandEntry]] = defaultdict(list)
    for one in histories:
        for entry in one.commands:
            found[entry.message_id].append(entry)
    return found


def _id(record: Received) -> str:
    return record.text("ce_id")
