"""What is done with alerts, rules and silences over HTTP and by time, each in one transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from chargebus_runtime.database import Database, Transaction

from chargebus_notification.alerts.domain import alert as life
from chargebus_notification.alerts.domain.alert import Alert, Step
from chargebus_notification.alerts.domain.rule import Rule
from chargebus_notification.alerts.domain.silence import Silence, silencing
from chargebus_notification.alerts.errors import (
    NeverOpenError,
    ResolvedAlertError,
    UnknownAlertError,
    UnknownRuleError,
    UnknownSilenceError,
)
from chargebus_notification.alerts.operations.judging import keep
from chargebus_notification.alerts.payload import alert_event
from chargebus_notification.alerts.store import alerts, rules, silences
from chargebus_notification.alerts.store.alerts import Wanted
from chargebus_notification.metrics import Metrics
from chargebus_notification.stations.store import stations

_AT_ONCE: Final = 500
_SILENCES_KEPT: Final = timedelta(days=30)


class Rules:
    """Rules over HTTP; whatever changes one has all stations looked at."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, after: str, limit: int) -> Sequence[Rule]:
        """Return up to `limit` rules in the order of their ids."""
        async with self._database.pool.acquire() as connection:
            return await rules.page(connection, after, limit)

    async def find(self, rule_id: str) -> Rule:
        """Return a rule.

        Raises:
            UnknownRuleError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            found = await rules.find(connection, rule_id)
        if found is None:
            raise _no_rule(rule_id)
        return found

    async def put(self, rule: Rule) -> bool:
        """Set a rule; tell whether it is new."""
        async with self._database.transaction() as tx:
            new = await rules.keep(tx.connection, rule)
            await stations.make_all_due(tx.connection, tx.now)
        return new

    async def remove(self, rule_id: str) -> None:
        """Take a rule away; what it told of is resolved.

        Raises:
            UnknownRuleError: there is none.
        """
        async with self._database.transaction() as tx:
            if not await rules.remove(tx.connection, rule_id):
                raise _no_rule(rule_id)
            await stations.make_all_due(tx.connection, tx.now)


class Alerts:
    """Alerts over HTTP, and what time does with them beside rules."""

    def __init__(self, database: Database, metrics: Metrics, kept: timedelta) -> None:
        self._database = database
        self._metrics = metrics
        self._kept = kept

    async def page(self, wanted: Wanted, before: int | None, limit: int) -> Sequence[tuple[int, Alert]]:
        """Return up to `limit` alerts, the newest first, each with its number."""
        async with self._database.pool.acquire() as connection:
            return await alerts.page(connection, wanted, before, limit)

    async def find(self, alert_id: str) -> Alert:
        """Return an alert.

        Raises:
            UnknownAlertError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            return _there(await alerts.find(connection, alert_id), alert_id)

    async def members(self, alert_id: str, after: str, limit: int) -> Sequence[tuple[str, datetime]]:
        """Return the stations that a group stands for now.

        Raises:
            UnknownAlertError: there is no such alert.
        """
        async with self._database.pool.acquire() as connection:
            _there(await alerts.find(connection, alert_id), alert_id)
            return await alerts.members_page(connection, alert_id, after, limit)

    async def acknowledge(self, alert_id: str, by: str, note: str) -> Alert:
        """Take an alert on.

        Raises:
            UnknownAlertError: there is none.
            ResolvedAlertError: it is over.
        """
        async with self._database.transaction() as tx:
            alert = await self._open(tx, alert_id)
            changed = await _tell(tx, life.acknowledged(alert, by, note, tx.now))
        await tx.published()
        return changed

    async def resolve(self, alert_id: str, by: str, note: str) -> Alert:
        """Say that an alert is over, though its rule does not; it stays so until it happens anew.

        Raises:
            UnknownAlertError: there is none.
            ResolvedAlertError: it is over.
        """
        async with self._database.transaction() as tx:
            alert = await self._open(tx, alert_id)
            changed = await _tell(tx, life.resolved(alert, by, note, tx.now))
        self._metrics.changed("resolved", alert.rule_id)
        await tx.published()
        return changed

    async def silence(self) -> None:
        """Bring alerts in line with the silences that hold now, and tell of those that changed."""
        after, more = "", True
        while more:
            async with self._database.transaction() as tx:
                holding = [each for each in await silences.current(tx.connection, tx.now) if each.holds(tx.now)]
                found = await alerts.some_open(tx.connection, after, _AT_ONCE)
                ids = [each.alert_id for each in found if silencing(each, holding, tx.now) != each.silence_id]
                taken = await alerts.take(tx.connection, ids) if ids else []
                changed = [
                    Step(msgspec.structs.replace(alert, silence_id=wanted), "told")
                    for alert in taken
                    if (wanted := silencing(alert, holding, tx.now)) != alert.silence_id
                ]
                await keep(tx, changed, self._metrics)
            more = len(found) == _AT_ONCE
            after = found[-1].alert_id if found else ""

    async def count(self) -> None:
        """Count open alerts for the gauge."""
        async with self._database.pool.acquire() as connection:
            self._metrics.count_open(await alerts.open_by_severity(connection))

    async def forget(self) -> None:
        """Drop what has been over for long enough."""
        more = True
        while more:
            async with self._database.transaction() as tx:
                more = await alerts.forget(tx.connection, tx.now - self._kept, _AT_ONCE) == _AT_ONCE
                await silences.forget(tx.connection, tx.now - _SILENCES_KEPT)

    async def _open(self, tx: Transaction, alert_id: str) -> Alert:
        alert = _there(await alerts.lock(tx.connection, alert_id), alert_id)
        if not alert.is_open:
            raise ResolvedAlertError(f"It was resolved at {alert.resolved_at}; there is nothing to do.")
        return alert


class Silences:
    """Silences over HTTP."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, after: str, limit: int) -> Sequence[Silence]:
        """Return up to `limit` silences in the order of their ids."""
        async with self._database.pool.acquire() as connection:
            return await silences.page(connection, after, limit)

    async def find(self, silence_id: str) -> Silence:
        """Return a silence.

        Raises:
            UnknownSilenceError: there is none.
        """
        async with self._database.pool.acquire() as connection:
            found = await silences.find(connection, silence_id)
        if found is None:
            raise _no_silence(silence_id)
        return found

    async def add(self, silence: Silence) -> None:
        """Add a silence.

        Raises:
            NeverOpenError: it would never be in force.
        """
        async with self._database.transaction() as tx:
            if silence.ends_at <= tx.now:
                raise NeverOpenError(f"It is over already: here it is {tx.now.isoformat()}.")
            if not silence.ever_holds():
                raise NeverOpenError("Its window never opens between its start and its end.")
            await silences.add(tx.connection, silence)

    async def remove(self, silence_id: str) -> None:
        """End a silence before its time.

        Raises:
            UnknownSilenceError: there is none.
        """
        async with self._database.transaction() as tx:
            if not await silences.remove(tx.connection, silence_id):
                raise _no_silence(silence_id)


async def _tell(tx: Transaction, alert: Alert) -> Alert:
    told = life.published(alert)
    await alerts.keep(tx.connection, [told])
    tx.send(alert_event(told, tx.now))
    return told


def _there(alert: Alert | None, alert_id: str) -> Alert:
    if alert is None:
        raise UnknownAlertError(f"There is no alert {alert_id!r}; see /v1/alerts.")
    return alert


def _no_rule(rule_id: str) -> UnknownRuleError:
    return UnknownRuleError(f"There is no rule {rule_id!r}; see /v1/alert-rules.")


def _no_silence(silence_id: str) -> UnknownSilenceError:
    return UnknownSilenceError(f"There is no silence {silence_id!r}; see /v1/silences.")
