"""Kafka in: what edges count of the ways in which stations break the schemas."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec
from chargebus_events.deviations import DeviationReport
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_device.deviations.domain import Deviation, DeviationKey, Make, add, added
from chargebus_device.deviations.store import deviations

_NO_MAKE: Final = Make()

_decode = msgspec.json.Decoder(DeviationReport).decode


class DeviationLog:
    """Adds up what the edges report of each station."""

    async def handle(self, batch: Batch, records: Sequence[Received]) -> None:
        """Apply the reports of a batch, in order."""
        reports = [_decode(record.value) for record in records if record.value is not None]
        station_ids = {report.station_id for report in reports}
        known = await deviations.load(batch.connection, station_ids)
        before = [each for own in known.values() for each in own.values()]
        makes = await deviations.makes(batch.connection, station_ids)
        changed: dict[tuple[str, DeviationKey], Deviation] = {}
        for report in reports:
            own = known.setdefault(report.station_id, {})
            for each in add(own, report, makes.get(report.station_id, _NO_MAKE)):
                changed[report.station_id, each.key] = each
        if changed:
            after = (each for own in known.values() for each in own.values())
            await deviations.keep(batch.connection, changed.values(), added(before, after))

    async def forget(self, connection: asyncpg.Connection) -> None:
        """Drop which connections were counted: on a new Kafka cluster epochs count from 0 again."""
        await deviations.forget(connection)
