"""A service's side of its commands: asks, hears, waits, and gives up by itself what nobody tells of."""

import asyncio
import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec
from chargebus_events.commands import CommandForm, CommandRequested
from chargebus_events.record import Received, Record
from chargebus_events.topics import ASKING_SERVICES, outcomes_topic
from chargebus_runtime.batch import Batch
from chargebus_runtime.database import Database
from chargebus_runtime.database import Transaction as OwnTransaction
from chargebus_runtime.kafka_clock import KafkaClock
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import DueWork, every
from chargebus_runtime.waiters import Waiters

from chargebus_commanding import store
from chargebus_commanding.asking import Ask, Asked, Form, InBatch, KeyReusedError, Transaction, fingerprint
from chargebus_commanding.metrics import Metrics
from chargebus_commanding.outcomes import Intents, Outcome, outcome_of
from chargebus_commanding.schema import AskedCommand

log = logging.getLogger(__name__)

SILENT: Final = "nothing was heard of it"
NO_KEYS: Final = Sealing()

_SWEEP_EVERY_S: Final = 5.0
_SWEEP_AT_ONCE: Final = 200
_PRUNE_EVERY_S: Final = 60.0
_KEEP: Final = timedelta(days=7)
_NULL: Final = msgspec.Raw(b"null")


class Commanding:
    """How one service asks stations for something.

    It is a part of the service's consumer (see `chargebus_calls.consumer`): it reads the service's topic of outcomes.
    `tasks` are to run for as long as the service does. Both lock commands first, then what intents are about, in the
    order of their names: where parts before it in the consumer lock the same, the sweep and a batch may wait for each
    other until the database ends one of them, which is done again.

    Args:
        service: the name under which it asks.
        database: where it keeps what it asked for.
        intents: what it does about the outcomes of each intent.
        kafka_clock: tells `command` when it was asked for; `process.edges.kafka_clock`.
        sealing: what commands with secrets are sealed with; `process.sealing`.

    Raises:
        ValueError: the service is not declared as one that asks.
    """

    def __init__(
        self, service: str, database: Database, intents: Intents, kafka_clock: KafkaClock, sealing: Sealing = NO_KEYS
    ) -> None:
        if service not in ASKING_SERVICES:
            raise ValueError(f"{service} is not declared to ask for commands: see chargebus_events.services")
        self._service = service
        self._intents = intents
        self._kafka_clock = kafka_clock
        self._sealing = sealing
        self._database = database
        self._waiters = Waiters(database, store.CHANNEL)
        self._metrics = Metrics(service)
        self._overdue = DueWork(database, _SWEEP_AT_ONCE, self._take_overdue, self._give_up)
        self.topics = (outcomes_topic(service),)
        self.rests: Mapping[str, float] = {}
        self.patient = False

    @property
    def tasks(self) -> Sequence[Hook]:
        """What is to run for as long as the service does."""
        return (
            self._waiters.run,
            every(_SWEEP_EVERY_S, "giving up commands", self.sweep),
            every(_PRUNE_EVERY_S, "pruning asked commands", self._prune),
        )

    async def ask(self, tx: Transaction, ask: Ask) -> Asked:
        """Ask for a command within a transaction; it goes out with the commit.

        Returns:
            The command: the one from before where the same was asked under the same key.

        Raises:
            KeyReusedError: something else was asked under the key.
            SealingError: it holds a secret, and there is no key to seal it with.
            ValueError: the intent is not in the table, or there is no form.
        """
        if ask.intent not in self._intents:
            raise ValueError(f"{self._service} has no intent {ask.intent!r}")
        if not ask.forms:
            raise ValueError(f"{ask.intent} for {ask.station_id} has no form")
        new = await _row(ask, tx)
        request = self._request(ask, new)
        if not await store.add(tx.connection, new):
            return await self._asked_meanwhile(tx, ask, new.fingerprint)
        tx.send(request)
        return Asked(new.command_id, ask.station_id, ask.intent, ask.subject)

    async def asked_before(
        self, tx: Transaction, station_id: str, idempotency_key: str | None, intent: str, content: object
    ) -> Asked | None:
        """Return what was asked of a station under a key; for who wants to know before it prepares to ask.

        Raises:
            KeyReusedError: something else was asked under the key.
        """
        if idempotency_key is None:
            return None
        return await self._find(tx, station_id, idempotency_key, fingerprint(intent, content))

    async def wait(self, asked: Asked, within_s: float) -> Outcome | None:
        """Return how a command ended, once it has, in whichever copy; None if it has not by then."""
        async with self._waiters.waiting(asked.command_id) as waiter:
            ended = await store.told(self._database.pool, asked.command_id)
            if ended is not None:
                return ended
            await waiter.wait(within_s)
        return await store.told(self._database.pool, asked.command_id)

    # As a part of the service's consumer

    async def apply(self, batch: Batch, records: Sequence[Received]) -> None:
        """Take the outcomes of a batch: each ends its command once, and goes where the table says."""
        told: dict[str, tuple[Outcome, Received]] = {}
        for record in records:
            outcome = outcome_of(record)
            told.setdefault(outcome.command_id, (outcome, record))
        ended = await store.end(batch.connection, [outcome for outcome, _ in told.values()])
        self._metrics.stray(len(records) - len(ended))
        for group in _grouped([told[command_id] for command_id in told if command_id in ended]):
            (first, because), *_ = group
            await self._tell(InBatch(batch, because), first.intent, [outcome for outcome, _ in group])

    def refuse(self, _record: Received, _reason: str) -> Sequence[Record]:
        """Tell nobody of an outcome that was parked: its command is given up in its time."""
        return ()

    def may_wait_s(self, _record: Received) -> float:
        """Return that outcomes wait for nothing: somebody may wait for them."""
        return 0.0

    # What time does

    async def sweep(self) -> None:
        """Give up the commands whose outcome is overdue."""
        await self._overdue.sweep()

    async def _take_overdue(self, tx: OwnTransaction, limit: int) -> Sequence[AskedCommand]:
        return await store.overdue(tx.connection, tx.now, limit)

    async def _give_up(self, tx: OwnTransaction, overdue: Sequence[AskedCommand]) -> int:
        by_intent: dict[str, list[Outcome]] = defaultdict(list)
        for row in overdue:
            lost = Outcome(row.command_id, row.station_id, row.intent, row.subject, "timed_out", tx.now, reason=SILENT)
            by_intent[row.intent].append(lost)
        await store.end(tx.connection, [outcome for group in by_intent.values() for outcome in group])
        for intent, outcomes in sorted(by_intent.items()):
            log.warning("no outcome came of %d commands (%s): they are given up", len(outcomes), intent)
            self._metrics.given_up(outcomes)
            await self._tell(tx, intent, outcomes)
        return len(overdue)

    async def _prune(self) -> None:
        async with self._database.transaction() as tx:
            await store.prune(tx.connection, tx.now - _KEEP)

    async def _tell(self, tx: Transaction, intent: str, outcomes: Sequence[Outcome]) -> None:
        self._metrics.ended(outcomes)
        apply = self._intents.get(intent)
        if apply is None:
            log.warning("%d commands ended whose intent (%s) is no more", len(outcomes), intent)
            return
        await apply(tx, outcomes)

    # What is asked

    async def _asked_meanwhile(self, tx: Transaction, ask: Ask, content: str) -> Asked:
        """Return what took the key while we were about to write: a statement of its own sees it, committed."""
        found = ask.idempotency_key and await self._find(tx, ask.station_id, ask.idempotency_key, content)
        if not found:
            raise RuntimeError(f"{ask.intent} for {ask.station_id} could not be written")
        return found

    async def _find(self, tx: Transaction, station_id: str, key: str, content: str) -> Asked | None:
        found = await store.by_key(tx.connection, station_id, key)
        if found is None:
            return None
        if found.fingerprint != content:
            raise KeyReusedError(
                f"The Idempotency-Key was used for another command of this station ({found.command_id}); "
                "take a new key for a new command."
            )
        return Asked(found.command_id, found.station_id, found.intent, found.subject, again=True)

    def _request(self, ask: Ask, new: AskedCommand) -> Record:
        return CommandRequested(
            command_id=new.command_id,
            station_id=ask.station_id,
            requester=self._service,
            requested_at=self._kafka_clock.to_kafka(new.requested_at),
            forms=tuple(self._carried(form, new) for form in ask.forms),
            intent=ask.intent,
            subject=ask.subject,
            timeout_s=ask.timeout_s,
            ttl_s=ask.ttl_s,
        ).record()

    def _carried(self, form: Form, new: AskedCommand) -> CommandForm:
        """Return a form as it may stand on a topic that keeps its records for days."""
        plain = CommandForm(form.action, msgspec.Raw(form.payload), form.versions)
        if not form.is_secret:
            return plain
        context = plain.sealed_for(new.command_id, new.station_id)
        sealed = self._sealing.seal(form.payload, context, new.given_up_at)
        return msgspec.structs.replace(plain, payload=_NULL, sealed=sealed)


def _grouped(told: Iterable[tuple[Outcome, Received]]) -> Iterable[Sequence[tuple[Outcome, Received]]]:
    """Put those together that have an intent in common, and a partition: its next owner sends what a crash leaves."""
    groups: dict[tuple[str, int], list[tuple[Outcome, Received]]] = defaultdict(list)
    for outcome, record in told:
        groups[outcome.intent, record.partition].append((outcome, record))
    return [groups[key] for key in sorted(groups)]


async def _row(ask: Ask, tx: Transaction) -> AskedCommand:
    return AskedCommand(
        command_id=str(uuid.uuid4()),
        station_id=ask.station_id,
        intent=ask.intent,
        subject=ask.subject,
        idempotency_key=ask.idempotency_key,
        fingerprint=await asyncio.to_thread(lambda: ask.fingerprint) if ask.is_secret else ask.fingerprint,
        requested_at=tx.now,
        given_up_at=tx.now + timedelta(seconds=ask.given_up_after_s()),
        outcome=None,
        ended_at=None,
        told=None,
    )
