"""Reports of a batch: what they say of variables is kept, and whose report is whole is told."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import msgspec
from chargebus_calls import Block, Call
from chargebus_commanding import InBatch, Transaction
from chargebus_runtime.batch import Batch

from chargebus_device.metrics import Metrics
from chargebus_device.ratings.block import Ratings, Reported
from chargebus_device.ratings.domain import RatingReport
from chargebus_device.statuses.domain import counts_from
from chargebus_device.variables.domain import request as requests_domain
from chargebus_device.variables.domain.report import Part
from chargebus_device.variables.domain.request import Request
from chargebus_device.variables.store import requests, stations, variables
from chargebus_device.variables.store.variables import Told

NOTIFY_REPORT: Final = "NotifyReport"

News = Callable[[Transaction, Sequence[Request], Sequence[str]], Awaitable[None]]
"""What is done about requests that have changed, and about stations whose variables were told."""


class DeviceReport(msgspec.Struct, frozen=True):
    """A NotifyReport: its variables, and what it says of what EVSEs are built for."""

    part: Part
    ratings: RatingReport


@dataclass
class ReportState:
    """The requests whose reports came, what was told, and what is known of EVSEs."""

    now: datetime
    registered: set[str]
    asked: dict[tuple[str, int], Request]
    ratings: Reported
    changed: dict[tuple[str, int], Request] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    because: list[Call[DeviceReport]] = field(default_factory=list)


class Reports(Block[DeviceReport, ReportState]):
    """Takes what registered stations report, whoever asked for it; the edge has answered."""

    def __init__(self, metrics: Metrics, ratings: Ratings, news: News) -> None:
        self._metrics = metrics
        self._ratings = ratings
        self._news = news

    async def load(self, batch: Batch, calls: Sequence[Call[DeviceReport]]) -> ReportState:
        """Return the requests that the reports are of, locked."""
        parts = [call.request.part for call in calls]
        asked = await requests.reports(
            batch.connection, sorted({(each.station_id, each.request_id) for each in parts if _is_ours(each)})
        )
        registered = await stations.find(batch.connection, {each.station_id for each in parts})
        ratings = await self._ratings.load(batch, [_ratings(call) for call in calls])
        return ReportState(batch.now, set(registered), asked, ratings)

    def decide(self, state: ReportState, call: Call[DeviceReport]) -> None:
        """Take a part, by the time at which it was made."""
        self._ratings.decide(state.ratings, _ratings(call))
        part = call.request.part
        if part.station_id not in state.registered:
            return
        at = part.station_id, part.request_id
        asked = state.asked.get(at)
        read_at = min(counts_from(part.said_at, call.frame.received_at), state.now)
        if asked is not None:
            read_at = max(read_at, asked.asked_at or read_at)  # it was not made before it was asked for
            after = requests_domain.with_part(asked, part, state.now)
            if after is not asked:
                state.asked[at] = state.changed[at] = after
        self._metrics.report_parts.add(1, {"asked": "no" if asked is None else "yes"})
        self._metrics.unread_variables.add(part.unread)
        state.told.extend(Told(part.station_id, each, read_at, NOTIFY_REPORT) for each in part.variables)
        state.because.append(call)

    async def save(self, batch: Batch, state: ReportState) -> None:
        """Keep what was told, and tell what it changes."""
        await self._ratings.save(batch, state.ratings)
        if not state.because:
            return
        self._metrics.dropped_variables.add(await variables.keep(batch.connection, state.told))
        await requests.keep(batch.connection, sorted(state.changed.values(), key=lambda each: each.request_id))
        tx = InBatch(batch, state.because[0].record)
        told = sorted({call.request.part.station_id for call in state.because})
        await self._news(tx, list(state.changed.values()), told)


_LARGEST: Final = 2**31 - 1


def _is_ours(part: Part) -> bool:
    return 0 < part.request_id <= _LARGEST


def _ratings(call: Call[DeviceReport]) -> Call[RatingReport]:
    return replace(call, request=call.request.ratings)  # type: ignore[arg-type, return-value]
