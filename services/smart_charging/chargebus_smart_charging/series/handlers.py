"""Kafka in, beside frames: series of the grid."""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec
from chargebus_events import public
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.names import SOURCE
from chargebus_smart_charging.series.domain.series import Series, objections
from chargebus_smart_charging.series.operations import mark
from chargebus_smart_charging.series.payload import series_of
from chargebus_smart_charging.series.store import values

log = logging.getLogger(__name__)

WAIT_S: Final = 1.0
"""How long series may wait for others."""

_series: Final = msgspec.json.Decoder(public.GridSeries).decode


class TopicSeries:
    """Takes the series that others tell of on the topic; what this service tells there itself is known."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def hear(self, batch: Batch, records: Sequence[Received]) -> None:
        """Keep what is told of each time last, and have the sites planned for which it holds."""
        told = [
            series_of(_series(record.value or b""), batch.now)
            for record in records
            if record.type == public.GRID_SERIES_TOLD and record.text("ce_source") != SOURCE
        ]
        taken = [series for series in told if self._fits(batch, series)]
        in_turn = sorted(taken, key=lambda series: series.told_at)
        await values.keep(batch.connection, [value for series in in_turn for value in series.told()])
        self._metrics.count("series", "topic", "taken", len(taken))
        await mark(batch, {series.zone for series in taken})

    def _fits(self, batch: Batch, series: Series) -> bool:
        found = objections(series, batch.now)
        if found:
            log.warning("a series of %s for %s is refused: %s", series.kind, series.zone, found[0].what)
            self._metrics.count("series", "topic", "refused")
        return not found
