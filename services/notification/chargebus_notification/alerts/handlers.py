"""Kafka in: alerts that other services tell of, listed with our own."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import uuid4

import msgspec
from chargebus_events import public
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_notification.alerts.domain import alert as life
from chargebus_notification.alerts.domain.alert import Alert
from chargebus_notification.alerts.domain.silence import silencing
from chargebus_notification.alerts.store import alerts, silences
from chargebus_notification.names import SOURCE
from chargebus_notification.stations.domain.station import Station, is_fact
from chargebus_notification.stations.store import stations

_SAME_FOR: Final = timedelta(minutes=30)
_decode: Final = msgspec.json.Decoder(public.Alert).decode
_replace = msgspec.structs.replace


async def hear_alerts(batch: Batch, records: Sequence[Received]) -> None:
    """List what others tell of, unless a rule of ours does: one that opens again soon is the same, and counts up."""
    heard = [
        (record.text("ce_source").strip("/"), _decode(record.value))
        for record in records
        if record.type == public.ALERT_CHANGED and record.text("ce_source") != SOURCE and record.value is not None
    ]
    told = [(source, each) for source, each in heard if not is_fact(each.rule, each.station_id)]
    if not told:
        return
    known = await alerts.latest_of_causes(batch.connection, {_cause(source, each) for source, each in told})
    labels = await stations.load(batch.connection, {each.station_id for _, each in told if each.station_id})
    holding = await silences.current(batch.connection, batch.now)
    new: set[str] = set()
    changed: dict[str, Alert] = {}
    for source, each in told:
        cause = _cause(source, each)
        before = known.get(cause)
        after = _after(before, source, each, labels.get(each.station_id))
        if after is None:
            continue
        if before is None or before.alert_id != after.alert_id:
            new.add(after.alert_id)
        after = _replace(after, silence_id=silencing(after, holding, batch.now) if after.is_open else "")
        changed[after.alert_id] = known[cause] = after
    await alerts.keep(batch.connection, [each for key, each in changed.items() if key not in new])
    await alerts.add(batch.connection, [each for key, each in changed.items() if key in new])


def _cause(source: str, told: public.Alert) -> str:
    return f"{source}:{told.alert_id}"


def _after(known: Alert | None, source: str, told: public.Alert, station: Station | None) -> Alert | None:
    """Return an alert after what is told of it; None: it is over, and nobody knew of it."""
    if told.state == "resolved":
        if known is None or not known.is_open or told.at < known.last_at:
            return None
        return _replace(known, state="resolved", resolved_at=told.at, over_since=None)
    if known is not None and known.is_open:
        again = told.at > known.last_at
        return _replace(
            known,
            title=told.title,
            detail=told.detail,
            severity=told.severity,
            last_at=max(told.at, known.last_at),
            count=known.count + again,
        )
    if known is not None and told.at <= known.last_at:
        return None
    if known is not None and known.resolved_at is not None and told.at - known.resolved_at < _SAME_FOR:
        state: life.State = "acknowledged" if known.acknowledged_at is not None else "open"
        return _replace(
            known,
            state=state,
            resolved_at=None,
            resolved_by="",
            count=known.count + 1,
            returns=known.returns + 1,
            last_at=told.at,
            detail=told.detail,
        )
    return _new(source, told, station)


def _new(source: str, told: public.Alert, station: Station | None) -> Alert:
    return Alert(
        str(uuid4()),
        _cause(source, told),
        told.alert_id,
        source,
        told.rule,
        told.rule,
        told.subject,
        told.station_id,
        told.evse_id,
        told.site_id,
        told.severity,
        told.title,
        told.detail,
        told.labels or ({} if station is None else dict(station.labels)),
        told.first_at or told.at,
        told.last_at or told.at,
        told.at,
        count=told.count,
    )
