"""Charging profiles that stations of a batch report: kept once, and compared with what they were given."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chargebus_calls import Block, Call
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.sites.store import due, evses
from chargebus_smart_charging.steering.domain.reports import ProfileReport
from chargebus_smart_charging.steering.domain.stations import reported
from chargebus_smart_charging.steering.store import reports, stations

_SOON: Final = timedelta(seconds=1)


class Reports(Block[ProfileReport, list[ProfileReport]]):
    """Keeps what stations report, whoever asked for it; its state is what the batch reports."""

    async def load(self, _batch: Batch, _calls: Sequence[Call[ProfileReport]]) -> list[ProfileReport]:
        """Begin with nothing."""
        return []

    def decide(self, state: list[ProfileReport], call: Call[ProfileReport]) -> None:
        """Take a part of a report; the edge answers it."""
        state.append(call.request)

    async def save(self, batch: Batch, state: list[ProfileReport]) -> None:
        """Keep what was reported; of a report that we asked for and that is whole, its site is planned soon."""
        await reports.keep(batch.connection, [profile for part in state for profile in part.profiles])
        ended = {part.station_id: part.request_id for part in state if part.is_last}
        known = await stations.lock(batch.connection, ended)
        whole = [
            reported(station, await reports.of_station(batch.connection, station_id))
            for station_id, station in known.items()
            if station.report_id == ended[station_id]
        ]
        await stations.keep(batch.connection, whole, batch.now)
        sites = await evses.sites_of(batch.connection, {station.station_id for station in whole})
        await due.mark(batch.connection, set(sites.values()), batch.now + _SOON)
