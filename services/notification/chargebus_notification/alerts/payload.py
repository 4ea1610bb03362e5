"""Alerts ↔ the public event."""

from datetime import datetime

from chargebus_events import public
from chargebus_events.record import Record

from chargebus_notification.alerts.domain.alert import Alert
from chargebus_notification.names import SOURCE


def alert_event(alert: Alert, now: datetime) -> Record:
    """Return what is published of an alert, under the id by which its readers know it."""
    body = public.Alert(
        alert.told_id,
        alert.subject,
        alert.rule_id,
        "open" if alert.is_open else "resolved",
        alert.severity,
        alert.first_at if alert.is_open or alert.resolved_at is None else alert.resolved_at,
        alert.title,
        alert.detail,
        alert.site_id,
        alert.station_id,
        alert.evse_id,
        count=alert.count,
        first_at=alert.first_at,
        last_at=alert.last_at,
        labels=dict(alert.labels),
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=alert.acknowledged_by,
        note=alert.note,
        silenced=alert.silenced,
        members=alert.members,
    )
    return public.event(public.ALERT_CHANGED, f"{alert.alert_id}/{alert.revision}", SOURCE, now, body)
