"""What is done about customer information over HTTP, by time and by what stations answer."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec
from chargebus_commanding import Ask, Commanding, Intents, Outcome, Transaction
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.tasks import DueWork

from chargebus_notification.customer_information import routes
from chargebus_notification.customer_information.domain import Gathered, Request, Wanted, gathered
from chargebus_notification.customer_information.errors import UnknownRequestError
from chargebus_notification.customer_information.store import requests

INTENT: Final = "customer_information"

_TIMEOUT_S: Final = 30.0
_TTL_S: Final = 60.0
_AT_ONCE: Final = 100
_KEEP_REQUESTS: Final = timedelta(days=90)


class CustomerInformation:
    """Asks stations what they know of a customer; `keep` is how long what they tell is kept, `wait` how long for."""

    def __init__(self, database: Database, commanding: Commanding, keep: timedelta, wait: timedelta) -> None:
        self._database = database
        self._commanding = commanding
        self._keep = keep
        self._wait = wait
        self._texts = DueWork(database, _AT_ONCE, self._take_texts, self._delete_texts)
        self._requests = DueWork(database, _AT_ONCE, self._take_requests, self._forget)

    async def ask(self, station_id: str, wanted: Wanted, key: str | None) -> Request:
        """Ask a station; under the same key it is the same request.

        Raises:
            KeyReusedError: something else was asked under the key.
        """
        content = (wanted, _TIMEOUT_S, _TTL_S)
        async with self._database.transaction() as tx:
            before = await self._commanding.asked_before(tx, station_id, key, INTENT, content)
            if before is not None:
                return await self._found(tx, int(before.subject))
            request_id = await requests.next_id(tx.connection)
            ask = Ask(
                station_id,
                INTENT,
                routes.forms(wanted, request_id),
                _TIMEOUT_S,
                _TTL_S,
                subject=str(request_id),
                idempotency_key=key,
                content=content,
            )
            asked = await self._commanding.ask(tx, ask)
            if asked.again:
                return await self._found(tx, int(asked.subject))
            request = Request(
                request_id,
                station_id,
                wanted.who,
                wanted.report,
                wanted.clear,
                tx.now,
                command_id=asked.command_id,
            )
            await requests.add(tx.connection, request)
        return request

    async def find(self, request_id: int) -> tuple[Request, Gathered]:
        """Return a request and what came of it.

        Raises:
            UnknownRequestError: there is none.
        """
        async with self._database.transaction() as tx:
            request = await self._found(tx, request_id)
            parts = (await requests.parts(tx.connection, [request_id]))[request_id]
            return request, gathered(request, parts, tx.now, self._wait)

    async def page(self, station_id: str | None, before: int | None, limit: int) -> list[tuple[Request, Gathered]]:
        """Return up to `limit` requests, the newest first."""
        async with self._database.transaction() as tx:
            found = await requests.page(tx.connection, station_id, before, limit)
            parts = await requests.parts(tx.connection, [each.request_id for each in found])
            return [(each, gathered(each, parts[each.request_id], tx.now, self._wait)) for each in found]

    async def delete(self, request_id: int) -> None:
        """Delete what a station told, before its time.

        Raises:
            UnknownRequestError: there is none.
        """
        async with self._database.transaction() as tx:
            request = (await requests.lock(tx.connection, [request_id])).get(request_id)
            if request is None:
                raise UnknownRequestError("See /v1/customer-information for those there are.")
            await self._delete_texts(tx, [request])

    async def sweep(self) -> None:
        """Delete what was told longer ago than it is kept."""
        await self._texts.sweep()
        await self._requests.sweep()

    async def _found(self, tx: OwnTransaction, request_id: int) -> Request:
        found = await requests.find(tx.connection, request_id)
        if found is None:
            raise UnknownRequestError("See /v1/customer-information for those there are.")
        return found

    async def _take_texts(self, tx: OwnTransaction, limit: int) -> Sequence[Request]:
        return await requests.take_stale(tx.connection, tx.now - self._keep, limit)

    async def _delete_texts(self, tx: OwnTransaction, stale: Sequence[Request]) -> int:
        await requests.forget_parts(tx.connection, [each.request_id for each in stale])
        await requests.keep(tx.connection, [msgspec.structs.replace(each, status="deleted") for each in stale])
        return len(stale)

    async def _take_requests(self, tx: OwnTransaction, limit: int) -> Sequence[int]:
        return await requests.take_old(tx.connection, tx.now - _KEEP_REQUESTS, limit)

    async def _forget(self, tx: OwnTransaction, request_ids: Sequence[int]) -> int:
        await requests.forget(tx.connection, request_ids)
        return len(request_ids)


async def answered(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Keep how stations answered."""
    by_id = {int(each.subject): each for each in outcomes}
    known = await requests.lock(tx.connection, list(by_id))
    await requests.keep(tx.connection, [routes.ended(each, by_id[each.request_id]) for each in known.values()])


INTENTS: Final[Intents] = {INTENT: answered}
