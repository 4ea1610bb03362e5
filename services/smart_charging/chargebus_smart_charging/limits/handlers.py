"""Kafka in, beside frames: limits of others, and what main meters of stations say."""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec
from chargebus_events import public
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.limits.domain.limit import KnownLimit, objections
from chargebus_smart_charging.limits.domain.main_meter import Measured, newest_currents
from chargebus_smart_charging.limits.domain.meters import Reading
from chargebus_smart_charging.limits.domain.telling import changes_plans, is_older
from chargebus_smart_charging.limits.operations import take_readings
from chargebus_smart_charging.limits.payload import known_limit
from chargebus_smart_charging.limits.store import limits, readings
from chargebus_smart_charging.limits.store.limits import Kept, Key
from chargebus_smart_charging.limits.store.readings import NodeReading
from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.names import SOURCE
from chargebus_smart_charging.sites.store import due, sites

log = logging.getLogger(__name__)

_limit: Final = msgspec.json.Decoder(public.ChargingLimit).decode
_readings: Final = msgspec.json.Decoder(public.MeterReadings).decode


class TopicLimits:
    """Takes the limits that others tell of on the topic; what this service tells there itself is known."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def hear(self, batch: Batch, records: Sequence[Received]) -> None:
        """Keep the newest of each limit, and have the sites planned whose plans depend on what changed."""
        told = [
            Kept(known_limit(event, batch.now), event.cleared)
            for record in records
            if record.type == public.CHARGING_LIMIT and record.text("ce_source") != SOURCE
            for event in [_limit(record.value or b"")]
        ]
        newest = self._newest(await self._fitting(batch, told))
        known = await limits.lock(batch.connection, newest)
        news = [
            kept for key, kept in newest.items() if not is_older(kept.limit, known[key].limit if key in known else None)
        ]
        await limits.keep(batch.connection, news)
        self._metrics.count("limit", "topic", "taken", len(news))
        self._metrics.count("limit", "topic", "older than what is known", len(newest) - len(news))
        concerned = {kept.limit.site_id for kept in news if _moves(kept, known.get(kept.key), batch)}
        await due.mark_by(batch, concerned, batch.now)

    async def _fitting(self, batch: Batch, told: Sequence[Kept]) -> list[Kept]:
        """Return those that can be taken: nobody hears of the others but who looks at the counts."""
        described = await sites.existing(batch.connection, {kept.limit.site_id for kept in told})
        fitting = []
        for kept in told:
            objection = None if kept.cleared else next(iter(objections(kept.limit)), None)
            if kept.limit.site_id not in described:
                self._metrics.count("limit", "topic", "no such site")
            elif objection is not None:
                log.warning("limit %s is refused: %s: %s", "/".join(kept.key), objection.where, objection.what)
                self._metrics.count("limit", "topic", "refused")
            else:
                fitting.append(kept)
        return fitting

    @staticmethod
    def _newest(told: Sequence[Kept]) -> dict[Key, Kept]:
        newest: dict[Key, Kept] = {}
        for kept in told:
            before = newest.get(kept.key)
            if not is_older(kept.limit, before.limit if before is not None else None):
                newest[kept.key] = kept
        return newest


def _moves(kept: Kept, known: Kept | None, batch: Batch) -> bool:
    before = _present(known)
    if kept.cleared:
        return before is not None and before.counts
    return changes_plans(kept.limit, before, batch.now)


def _present(known: Kept | None) -> KnownLimit | None:
    return None if known is None or known.cleared else known.limit


class MainMeters:
    """Takes what main meters of stations say of nodes' other loads."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def hear(self, batch: Batch, records: Sequence[Received]) -> None:
        """Keep the newest of each main meter that stands at a node; most records are of none, and are not read."""
        meters = {
            meter.station_id: meter
            for meter in await readings.main_meters(batch.connection, {record.key for record in records})
        }
        measured: dict[str, list[Measured]] = {}
        for record in records:
            if record.key in meters and record.type == public.METER_READINGS:
                measured.setdefault(record.key, []).extend(_measured(_readings(record.value or b"")))
        found = []
        for station_id, values in measured.items():
            newest = newest_currents(values)
            if newest is not None:
                at, phase_a = newest
                meter = meters[station_id]
                reading = NodeReading(meter.site_id, meter.node_id, Reading(phase_a, at))
                found.append((reading, meter.silent_after_s))
        await take_readings(batch, found)
        self._metrics.count("reading", "topic", "taken", len(found))


def _measured(told: public.MeterReadings) -> list[Measured]:
    """Return what a message says of the main meter; one of a transaction is an EVSE's that nobody named yet."""
    if told.evse_id or told.transaction_id:
        return []
    return [
        Measured(min(each.sampled_at, told.received_at), each.measurand, each.phase, each.value)
        for each in told.readings
    ]
