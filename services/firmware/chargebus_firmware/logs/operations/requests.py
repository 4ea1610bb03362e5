"""Stations are asked for logs, what they answer is taken, and what is known is shown."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

import asyncpg
import msgspec
from chargebus_commanding import Ask, Commanding, Outcome, Transaction
from chargebus_runtime.database import Database
from chargebus_runtime.sealing import SealingError

from chargebus_firmware.links.domain.link import Transport
from chargebus_firmware.logs.domain import log as domain
from chargebus_firmware.logs.domain.log import Log, Patience, Wanted
from chargebus_firmware.logs.domain.status import superseded_by
from chargebus_firmware.logs.errors import EmptyIntervalError, LogEndedError, NotOfferedError, UnknownLogError
from chargebus_firmware.logs.routes import GET, forms_of, reply_of
from chargebus_firmware.logs.store import logs
from chargebus_firmware.logs.store.logs import Filter
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.stations import store as stations
from chargebus_firmware.stations.domain import Station
from chargebus_firmware.stations.operations import PROTOCOLS_WITHIN_S, Protocols

_ANSWERED: Final = "answered"
_REPLACES: Final = "replaces"


class UploadLinks(Protocol):
    """The links by which stations upload files of logs."""

    async def make(self, tx: Transaction, station_id: str, log_id: int, ends_at: datetime, over: Transport) -> str:
        """Make one within a transaction; return its URL."""
        ...

    def offers(self, over: Transport) -> bool:
        """Tell whether links are served over a transport."""
        ...

    @property
    def has_choice(self) -> bool:
        """Whether anything else is served beside HTTP."""
        ...

    def chosen(self, protocols: Collection[str]) -> Transport:
        """Return over what a station sends a file that says that it knows these protocols."""
        ...


@dataclass(frozen=True)
class Waiting:
    """How long a station may take to answer, and may be away; under the same key the same is asked once."""

    timeout_s: float
    ttl_s: float
    idempotency_key: str | None = None


class Logs:
    """Logs that stations are asked for."""

    def __init__(self, database: Database, commanding: Commanding, links: UploadLinks, patience: Patience) -> None:
        self._database = database
        self._commanding = commanding
        self._links = links
        self._patience = patience

    async def ask(self, station_id: str, wanted: Wanted, waiting: Waiting, over: Transport | None) -> Log:
        """Ask a station for a log; the one from before, if the same was asked under the same key.

        It goes `over` a transport; None: over one that the station says that it knows.

        Raises:
            EmptyIntervalError: no entry can be that old and that new.
            NotOfferedError: files are not taken over the transport that is wanted.
            KeyReusedError: something else was asked under the key.
        """
        if not wanted.can_have_entries:
            raise EmptyIntervalError("oldest: it is not before latest, so that no entry can be between them.")
        if over is not None and not self._links.offers(over):
            raise NotOfferedError(f"over: files are not taken over {over} here; see FIRMWARE_{over.upper()}_PORT.")
        content = (wanted, over, waiting.timeout_s, waiting.ttl_s)
        wanted = msgspec.structs.replace(wanted, over=over or await self._over(station_id))
        key = waiting.idempotency_key
        async with self._database.transaction() as tx:
            before = await self._commanding.asked_before(tx, station_id, key, GET, content)
            if before is not None:
                return await self._found(tx.connection, int(before.subject))
            log_id = await logs.next_id(tx.connection)
            give_up_at = tx.now + timedelta(seconds=self._patience.file_s + waiting.ttl_s)
            key_of_files = f"logs/{uuid4().hex}"
            log = domain.asked(Log(log_id, station_id, key_of_files, wanted, tx.now, give_up_at))
            ends_at = domain.link_ends_at(log, self._patience)
            location = await self._links.make(tx, station_id, log_id, ends_at, wanted.over)
            ask = Ask(
                station_id,
                GET,
                forms_of(log, location),
                timeout_s=waiting.timeout_s,
                ttl_s=waiting.ttl_s,
                subject=str(log_id),
                idempotency_key=key,
                content=content,
            )
            try:
                asked = await self._commanding.ask(tx, ask)
            except SealingError as error:  # the URL of FTP and SFTP holds the link as a user
                raise NotOfferedError(f"over: {error}") from error
            if asked.again:  # by a call at the same time
                return await self._found(tx.connection, int(asked.subject))
            await logs.change(tx, {}, [log], self._patience)
        return log

    async def _over(self, station_id: str) -> Transport:
        """Return over what a station is to send a file; where there is a choice, one that is there is asked for it."""
        station = await self._station(station_id)
        if not self._links.has_choice or station is None:
            return "http"
        if station.protocols is None and station.online:
            async with self._database.transaction() as tx:
                asked = await self._commanding.ask(tx, Protocols.request(station_id))
            await self._commanding.wait(asked, PROTOCOLS_WITHIN_S)
            station = await self._station(station_id)
        return self._links.chosen(() if station is None else station.protocols or ())

    async def _station(self, station_id: str) -> Station | None:
        async with self._database.pool.acquire() as connection:
            return (await stations.find(connection, [station_id])).get(station_id)

    async def find(self, log_id: int) -> Log:
        """Return a log.

        Raises:
            UnknownLogError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            return await self._found(connection, log_id)

    async def page(self, wanted: Filter, before: int, limit: int) -> Sequence[Log]:
        """Return up to `limit` logs with smaller numbers, the newest first."""
        async with self._database.pool.acquire() as connection:
            return await logs.page(connection, wanted, before, limit)

    async def cancel(self, log_id: int) -> Log:
        """Give a log up: no file of it is taken any more. The station is not told: OCPP has no words for it.

        Raises:
            UnknownLogError: there is none. LogEndedError: it has ended.
        """
        async with self._database.transaction() as tx:
            log = (await logs.lock(tx.connection, [log_id])).get(log_id)
            if log is None:
                raise unknown(log_id)
            if not log.is_open:
                raise LogEndedError(f"It has ended already: {log.state}.")
            ended = domain.cancelled(log, tx.now)
            await logs.change(tx, {log_id: log}, [ended], self._patience)
        return ended

    async def _found(self, connection: asyncpg.Connection, log_id: int) -> Log:
        found = await logs.find(connection, log_id)
        if found is None:
            raise unknown(log_id)
        return found


class Answers:
    """What stations answer when they are asked for logs."""

    def __init__(self, patience: Patience, metrics: Metrics) -> None:
        self._patience = patience
        self._metrics = metrics

    async def take(self, tx: Transaction, outcomes: Sequence[Outcome]) -> None:
        """Take what came of requests; a station may give up an older log for a later one by it.

        Spec: OCPP 2.0.1 N01.FR.12, N01.FR.20
        """
        await stations.hold(tx, {each.station_id for each in outcomes})
        of = {int(each.subject): each for each in outcomes}
        known = await logs.lock(tx.connection, of)
        changed = {log_id: _answered(log, of[log_id]) for log_id, log in known.items()}
        replacing = [changed[log_id] for log_id in changed if _is_replacing(of[log_id])]
        if replacing:
            others = await logs.lock_open(tx.connection, {log.station_id for log in replacing})
            known = others | known
            for log in replacing:
                for older in superseded_by(log, [changed.get(each.log_id, each) for each in others.values()]):
                    changed[older.log_id] = domain.superseded(older, of[log.log_id].ended_at)
        await logs.change(tx, known, changed.values(), self._patience)


def unknown(log_id: int) -> UnknownLogError:
    """Return the error that says that there is no log of an id."""
    return UnknownLogError(f"There is no log {log_id}; see /v1/logs for those there are.")


def _answered(log: Log, outcome: Outcome) -> Log:
    if outcome.name != _ANSWERED:
        return domain.not_answered(log, outcome.name, outcome.ended_at, outcome.why)
    return domain.answered(log, reply_of(outcome), outcome.ended_at)


def _is_replacing(outcome: Outcome) -> bool:
    return outcome.name == _ANSWERED and reply_of(outcome).answer == _REPLACES
