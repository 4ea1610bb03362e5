"""Kafka in: alerts of all who publish them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from chargebus_events import public
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_notification.alerts.store import silences
from chargebus_notification.delivery.domain.subscription import Told, as_wanted, is_news, matches
from chargebus_notification.delivery.payload import delivery_id, told_of
from chargebus_notification.delivery.store import deliveries, subscriptions
from chargebus_notification.delivery.store.deliveries import NewDelivery
from chargebus_notification.names import SOURCE
from chargebus_notification.stations.domain.station import is_fact
from chargebus_notification.stations.store import stations


async def hear_alerts(batch: Batch, records: Sequence[Received]) -> None:
    """Keep what each subscription is to be told of, in the order of the topic."""
    heard = [each for record in records if record.type == public.ALERT_CHANGED and (each := _news(record))]
    if not heard:
        return
    told = await _as_silences_have_it(batch, await _with_labels(batch, heard))
    wanted = {each.subscription_id: each.wanted for each in await subscriptions.all_of_them(batch.connection)}
    before = await deliveries.last(batch.connection, {each.alert_id for each in told}) if wanted else {}
    new = []
    for one in told:
        for subscription_id, want in wanted.items():
            each = as_wanted(want, one)
            known = (subscription_id, each.alert_id)
            last = before.get(known)
            if matches(subscription_id, want, each, last) and is_news(last, each):
                before[known] = (each.change, each.severity)
                new.append(_delivery(subscription_id, each, want.due_at(each.severity, batch.now), batch.now))
    if not new:
        return
    by_id = {each.delivery_id: each for each in new}
    due: dict[UUID, datetime] = {}
    for subscription_id, due_at in await deliveries.add(batch.connection, by_id.values()):
        due[subscription_id] = min(due_at, due.get(subscription_id, due_at))
    await subscriptions.wake(batch.connection, due)


def _news(record: Received) -> Told | None:
    """Return what is told of an alert; None: a rule of ours tells of it, in its time."""
    told = told_of(record)
    return None if record.text("ce_source") != SOURCE and is_fact(told.rule, told.station_id) else told


async def _with_labels(batch: Batch, told: Sequence[Told]) -> list[Told]:
    """Return alerts with the labels of their stations, where who publishes them says none."""
    bare = {each.station_id for each in told if each.station_id and not each.labels}
    known = await stations.load(batch.connection, bare) if bare else {}
    return [
        msgspec.structs.replace(each, labels=known[each.station_id].labels)
        if each.station_id in known and not each.labels
        else each
        for each in told
    ]


async def _as_silences_have_it(batch: Batch, told: Sequence[Told]) -> list[Told]:
    """Return alerts with those silenced that nobody wants to be told of: others than we do not know silences."""
    if all(each.silenced for each in told):
        return list(told)
    holding = [each for each in await silences.current(batch.connection, batch.now) if each.holds(batch.now)]
    return [
        msgspec.structs.replace(each, silenced=True)
        if not each.silenced and any(silence.names(each.rule, each.station_id, each.labels) for silence in holding)
        else each
        for each in told
    ]


def _delivery(subscription_id: UUID, told: Told, due_at: datetime, now: datetime) -> NewDelivery:
    return NewDelivery(delivery_id(subscription_id, told.event_id), subscription_id, told, now, due_at)
