"""What time and answers do: stations are compared with what is wanted of them, and brought there, at a pace."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec
from chargebus_commanding import Transaction
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.tasks import DueWork

from chargebus_device.configurations.domain import compared
from chargebus_device.configurations.domain.compared import Entry, Facts, Proof
from chargebus_device.configurations.domain.configuration import Configuration, Station, Wanted, wanted
from chargebus_device.configurations.store import configurations, stations
from chargebus_device.configurations.store.stations import Follower
from chargebus_device.metrics import Metrics
from chargebus_device.variables.domain.addresses import resolve
from chargebus_device.variables.domain.place import Place
from chargebus_device.variables.domain.request import Item, Request
from chargebus_device.variables.operations.requests import Requests
from chargebus_device.variables.operations.requests import Wanted as Asked
from chargebus_device.variables.routes import WORDS
from chargebus_device.variables.store import stations as read_stations
from chargebus_device.variables.store import variables
from chargebus_device.variables.store.stations import Station as ReadStation

_TTL: Final = timedelta(seconds=30)
_AWAY_AGAIN_IN: Final = timedelta(seconds=15)
_AGAIN_IN: Final = timedelta(seconds=5)
_CHANGED_AT_ONCE: Final = 2000
_TELLING: Final = frozenset({"Accepted", "UnknownVariable", "UnknownComponent", "NotSupportedAttributeType"})
"""Answers to a read after which it is known what the station has."""


@dataclass(frozen=True)
class Pace:
    """How stations are brought to what is wanted.

    Attributes:
        at_once: how many of them each second, at most; in_flight: how many are asked at the same time.
        settle: how long after a boot.
        proof: how a change that can break connections is seen to have done no harm.
    """

    at_once: int
    in_flight: int
    settle: timedelta
    proof: Proof


@dataclass(frozen=True)
class Known:
    """What a look knows of stations: how they are chosen, read, what they told, and how it stood before."""

    station: Mapping[str, Station]
    read: Mapping[str, ReadStation]
    variables: Mapping[str, variables.Known]
    entries: Mapping[str, Mapping[str, Entry]]
    proof: Proof


class Following:
    """Does what is due on stations."""

    def __init__(self, database: Database, asking: Requests, metrics: Metrics, pace: Pace) -> None:
        self._database = database
        self._asking = asking
        self._metrics = metrics
        self._pace = pace
        self._due = DueWork(database, pace.at_once, self._take, self._look)

    async def look(self) -> None:
        """Look at some stations that are due, and ask them for what is next."""
        await self._due.sweep_some()

    async def notice(self) -> None:
        """Have new and changed stations looked at, and those that waited for others and may be changed now."""
        async with self._database.transaction() as tx:
            await stations.changed(tx.connection, tx.now, _CHANGED_AT_ONCE)
        async with self._database.transaction() as tx:
            for configuration in await configurations.with_waiting(tx.connection):
                trial = await configurations.trial(tx.connection, configuration)
                room = compared.room(trial, configuration.first, held=False)
                if room != 0:
                    limit = _CHANGED_AT_ONCE if room is None else room
                    await stations.wake(tx.connection, configuration.configuration_id, tx.now, limit)

    async def booted(self, tx: Transaction, station_ids: Collection[str]) -> None:
        """Have stations compared anew that booted, by what they tell from now on."""
        await stations.booted(tx.connection, station_ids, tx.now, tx.now + self._pace.settle)

    async def heard(self, tx: Transaction, station_ids: Sequence[str]) -> None:
        """Have stations compared anew whose variables were told."""
        await stations.heard(tx.connection, station_ids, tx.now)

    async def ended(self, tx: Transaction, ended: Sequence[Request]) -> None:
        """Take what became of what stations were asked."""
        followers = await stations.lock(tx.connection, {each.station_id for each in ended})
        entries = await stations.entries(tx.connection, list(followers))
        kept: list[Entry] = []
        for request in ended:
            follower = followers.get(request.station_id)
            if follower is None or follower.asking != request.request_id:
                continue
            away = request.result == "failed" or (request.kind != "change" and not _has_told(request))
            due_at = tx.now + (_AWAY_AGAIN_IN * min(2**follower.tries, 40) if away else timedelta())
            tries = follower.tries + 1 if away else 0
            own = entries.get(request.station_id, {})
            if request.kind != "change" and follower.read_after <= request.created_at:
                mute = _without_proof(request, own, self._pace.proof, tx)
                kept.extend(mute)
                due_at = min([due_at, *(each.retry_at for each in mute if each.retry_at is not None)])
            follower = msgspec.structs.replace(follower, asking=None, due_at=due_at, tries=tries)
            if request.kind == "change":
                after = [
                    compared.answered(own[item.place.key], item.status, item.detail, self._pace.proof, tx.now)
                    for item in request.items
                    if item.place.key in own
                ]
                kept.extend(after)
                for entry in after:
                    self._metrics.configured.add(1, {"verdict": entry.verdict})
                if any(each.verdict == "unread" or each.told.startswith("Unknown") for each in after):
                    follower = msgspec.structs.replace(follower, read_after=tx.now)
            followers[request.station_id] = follower
        await stations.keep_entries(tx.connection, kept, ())
        await stations.keep(tx.connection, [followers[station_id] for station_id in sorted(followers)])
        await self._hold(tx, kept, entries)

    async def _hold(self, tx: Transaction, after: Collection[Entry], before: Mapping[str, Mapping[str, Entry]]) -> None:
        """Let a configuration change no more stations once one of them is lost."""
        lost = [each for each in after if each.verdict == "lost"]
        was = {each: before.get(each.station_id, {}).get(each.key) for each in lost}
        held = {each.configuration_id for each, entry in was.items() if entry is None or entry.verdict != "lost"}
        if held:
            await configurations.hold(tx.connection, sorted(held))
            self._metrics.configurations_held.add(len(held))

    async def _take(self, tx: OwnTransaction, _limit: int) -> Sequence[Follower]:
        return await stations.take_due(tx.connection, tx.now, self._pace.at_once, self._pace.in_flight)

    async def _look(self, tx: OwnTransaction, taken: Sequence[Follower]) -> int:
        every = await configurations.every(tx.connection)
        ids = [each.station_id for each in taken]
        chosen = await stations.facts(tx.connection, ids)
        meant = {station_id: wanted(every, station) for station_id, station in chosen.items()}
        known = await known_of(tx, chosen, meant, self._pace.proof)
        after = [await self._follow(tx, each, meant.get(each.station_id, {}), known) for each in taken]
        await stations.keep(tx.connection, sorted(after, key=lambda each: each.station_id))
        return len(after)

    async def _follow(
        self, tx: OwnTransaction, follower: Follower, meant: Mapping[str, Wanted], known: Known
    ) -> Follower:
        """Compare a station, keep how it stands, and ask it for what is next."""
        station_id = follower.station_id
        before = known.entries.get(station_id, {})
        entries = compared_of(station_id, meant, known, follower, tx)
        station = known.read.get(station_id)
        request = None if station is None else await self._ask(tx, station, entries, places_of(meant, station.version))
        gone = [each for key, each in before.items() if key not in entries]
        changed = [each for key, each in entries.items() if each != before.get(key)]
        await stations.keep_entries(tx.connection, changed, gone)
        await self._hold(tx, changed, known.entries)
        asking = None if request is None or request.state == "ended" else request.request_id
        due_at = None if asking else compared.due_at(list(entries.values()))
        if due_at is not None:
            due_at = max(due_at, tx.now + _AGAIN_IN)
        return msgspec.structs.replace(follower, asking=asking, checked_at=tx.now, due_at=due_at)

    async def _ask(
        self, tx: OwnTransaction, station: ReadStation, entries: dict[str, Entry], places: Mapping[str, Place]
    ) -> Request | None:
        unread = [each for each in compared.to_read(list(entries.values()), tx.now) if each.key in places]
        if unread:
            items = tuple(Item(places[each.key]) for each in unread)
            return await self._asking.start(tx, station, Asked("named", "configuration", items), _TTL)
        harmless, breaking = compared.to_change(list(entries.values()))
        wanted_now = harmless or await self._allowed(tx, breaking, entries)
        if not wanted_now:
            return None
        for each in wanted_now:
            entries[each.key] = msgspec.structs.replace(each, verdict="asked")
        items = tuple(Item(places[each.key], each.wanted) for each in wanted_now)
        return await self._asking.start(tx, station, Asked("change", "configuration", items), _TTL)

    async def _allowed(
        self, tx: OwnTransaction, breaking: Sequence[Entry], entries: dict[str, Entry]
    ) -> Sequence[Entry]:
        """Return what of changes that can break connections may begin: those of one configuration; others wait."""
        allowed: Sequence[Entry] = ()
        for configuration_id in sorted({each.configuration_id for each in breaking}):
            own = [each for each in breaking if each.configuration_id == configuration_id]
            configuration = await configurations.lock(tx.connection, configuration_id)
            if not allowed and configuration is not None and await self._may(tx, configuration):
                allowed = own
                continue
            for each in own:
                entries[each.key] = msgspec.structs.replace(each, verdict="waiting")
        return allowed

    async def _may(self, tx: OwnTransaction, configuration: Configuration) -> bool:
        trial = await configurations.trial(tx.connection, configuration)
        return compared.may_break(trial, configuration.first, held=configuration.state == "held")


def _has_told(request: Request) -> bool:
    return all(item.status in _TELLING for item in request.items)


def _without_proof(request: Request, own: Mapping[str, Entry], proof: Proof, tx: Transaction) -> list[Entry]:
    """Return variables whose station was asked whether it came back from their change, and did not tell them."""
    asked = [own[item.place.key] for item in request.items if item.status not in _TELLING and item.place.key in own]
    owing = [each for each in asked if compared.owes_proof(each, request.created_at)]
    return [compared.missed(each, "it did not come back after the change", proof, tx.now) for each in owing]


def places_of(meant: Mapping[str, Wanted], version: str) -> dict[str, Place]:
    """Return where what is wanted stands on a station of a version, by the keys of the places."""
    words = WORDS.get(version)
    if words is None:
        return {}
    found = (resolve(each.setting.address, words.own) for each in meant.values())
    return {place.key: place for place in found if place is not None}


async def known_of(
    tx: OwnTransaction,
    chosen: Mapping[str, Station],
    meant: Mapping[str, Mapping[str, Wanted]],
    proof: Proof,
) -> Known:
    """Return what is known of stations, as far as it is wanted."""
    keys = {key for station_id, own in meant.items() for key in places_of(own, chosen[station_id].version)}
    return Known(
        chosen,
        await read_stations.find(tx.connection, list(chosen)),
        await variables.find(tx.connection, list(chosen), keys) if keys else {},
        await stations.entries(tx.connection, list(chosen)),
        proof,
    )


def compared_of(
    station_id: str, meant: Mapping[str, Wanted], known: Known, follower: Follower, tx: OwnTransaction
) -> dict[str, Entry]:
    """Return how a station stands beside what is wanted of it, by the keys of places."""
    station, read = known.station.get(station_id), known.read.get(station_id)
    words = None if station is None else WORDS.get(station.version)
    if words is None or read is None:
        return {}
    told, before = known.variables.get(station_id, {}), known.entries.get(station_id, {})
    found: dict[str, Entry] = {}
    for each in meant.values():
        place = resolve(each.setting.address, words.own)
        key = each.setting.address.key if place is None else place.key
        is_read = read.read_at is not None
        facts = Facts(place, told.get(key), before.get(key), follower.read_after, is_read, known.proof)
        found[key] = compared.compare(station_id, each, facts, tx.now)
    return found
