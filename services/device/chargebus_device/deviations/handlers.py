"""Kafka in: what edges count of the ways in which stations break the schemas."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from chargebus_events.deviations import DeviationReport
from chargebus_events.public import STATION_DEVIATED, StationDeviated, event
from chargebus_events.record import Received, Record
from chargebus_runtime.batch import Batch

from chargebus_device.deviations.domain import Deviation, DeviationKey, Make, add, added, is_news
from chargebus_device.deviations.store import deviations
from chargebus_device.names import SOURCE

_NO_MAKE: Final = Make()

_decode = msgspec.json.Decoder(DeviationReport).decode


class DeviationLog:
    """Adds up what the edges report of each station."""

    async def handle(self, batch: Batch, records: Sequence[Received]) -> None:
        """Apply the reports of a batch, in order."""
        told = [(record, _decode(record.value)) for record in records if record.value is not None]
        station_ids = {report.station_id for _, report in told}
        known = await deviations.load(batch.connection, station_ids)
        before = [each for own in known.values() for each in own.values()]
        makes = await deviations.makes(batch.connection, station_ids)
        changed: dict[tuple[str, DeviationKey], Deviation] = {}
        for record, report in told:
            own = known.setdefault(report.station_id, {})
            was = dict(own)
            for each in add(own, report, makes.get(report.station_id, _NO_MAKE)):
                changed[report.station_id, each.key] = each
                if report.station_id in makes and is_news(was.get(each.key), each):
                    batch.send(_event(each, batch.now), because=record)
        if changed:
            after = (each for own in known.values() for each in own.values())
            await deviations.keep(batch.connection, changed.values(), added(before, after))

    async def forget(self, connection: asyncpg.Connection) -> None:
        """Drop which connections were counted: on a new Kafka cluster epochs count from 0 again."""
        await deviations.forget(connection)


def _event(each: Deviation, now: datetime) -> Record:
    key = each.key
    body = StationDeviated(
        each.station_id,
        each.last_at,
        key.action,
        key.kind,
        key.path,
        each.count,
        key.refused,
        each.public_detail,
        key.version,
    )
    named = f"{each.station_id}/{key.action}/{key.kind}/{key.path}/{key.refused}/{int(each.last_at.timestamp())}"
    return event(STATION_DEVIATED, named, SOURCE, now, body)
