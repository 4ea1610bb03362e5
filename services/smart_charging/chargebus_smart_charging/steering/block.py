"""What stations of a batch report of their charging profiles, and the limits that they ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from chargebus_calls import Answer, Block, Call
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.sites.store import due, evses
from chargebus_smart_charging.steering.domain.held import Pulled
from chargebus_smart_charging.steering.domain.pulls import Pull, answer_to
from chargebus_smart_charging.steering.domain.reports import ProfileReport
from chargebus_smart_charging.steering.domain.stations import reported
from chargebus_smart_charging.steering.domain.steered import Steered
from chargebus_smart_charging.steering.store import reports, stations, steering

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
        await due.mark_by(batch, set(sites.values()), batch.now + _SOON)


@dataclass
class Pulling:
    """How the EVSEs of a batch are steered, and what their stations are answered; nobody tells them more meanwhile."""

    at: datetime
    known: dict[EvseKey, Steered]
    answered: dict[EvseKey, Pulled] = field(default_factory=dict)


class Pulls(Block[Pull, Pulling]):
    """Answers stations that ask for the limit of a dynamic profile by what they were told last, and keeps that.

    The first of a batch: who plans holds what is read here, and waits for nothing that is read later.
    """

    async def load(self, batch: Batch, calls: Sequence[Call[Pull]]) -> Pulling:
        """Return how the EVSEs that calls are about are steered."""
        keys = {key for call in calls if (key := call.request.key) is not None}
        return Pulling(batch.now, await steering.hold(batch.connection, keys))

    def decide(self, state: Pulling, call: Call[Pull]) -> Answer:
        """Answer a call."""
        key = call.request.key
        steered = None if key is None else state.known.get(key)
        told = None if steered is None else answer_to(steered, state.at)
        if key is None or told is None:
            return call.answered(None)
        limit, state.answered[key] = told
        return call.answered(limit)

    async def save(self, batch: Batch, state: Pulling) -> None:
        """Keep what was answered."""
        await steering.keep_pulled(batch.connection, state.answered)
