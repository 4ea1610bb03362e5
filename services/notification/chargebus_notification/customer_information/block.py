"""Parts of a batch: kept with the request that they belong to; what nobody here asked for is not kept at all."""

import logging
from collections.abc import Sequence
from datetime import datetime

import msgspec
from chargebus_calls import Block, Call
from chargebus_runtime.batch import Batch
from chargebus_runtime.sealing import Sealing, SealingError

from chargebus_notification.customer_information import payload
from chargebus_notification.customer_information.domain import MOST_PARTS, Part, Request
from chargebus_notification.customer_information.store import requests
from chargebus_notification.metrics import Metrics

log = logging.getLogger(__name__)


class PartState(msgspec.Struct):
    """The requests of a batch, and the parts that came."""

    known: dict[int, Request]
    now: datetime
    new: dict[tuple[int, int], Part] = {}


class Parts(Block[Part, PartState]):
    """Keeps what stations tell of customers; the edge has answered."""

    def __init__(self, metrics: Metrics, sealing: Sealing) -> None:
        self._metrics = metrics
        self._sealing = sealing

    async def load(self, batch: Batch, calls: Sequence[Call[Part]]) -> PartState:
        """Return the requests that the calls answer."""
        known = await requests.lock(batch.connection, {call.request.request_id for call in calls})
        return PartState(known, batch.now)

    def decide(self, state: PartState, call: Call[Part]) -> None:
        """Take a part of a request of ours whose text is not deleted yet; one of a number that no report has is not."""
        part = call.request
        request = state.known.get(part.request_id)
        ours = request is not None and request.station_id == part.station_id
        if request is None or not ours or not request.report or request.status == "deleted":
            self._metrics.customer_part("not ours")
            return
        if part.seq_no >= MOST_PARTS:
            self._metrics.customer_part("too many")
            return
        try:
            state.new[part.request_id, part.seq_no] = payload.opened(part, self._sealing, state.now)
        except SealingError as error:
            log.warning("%s: a part of customer information cannot be opened: %s", part.station_id, error)
            self._metrics.customer_part("unreadable")
            return
        self._metrics.customer_part("kept")

    async def save(self, batch: Batch, state: PartState) -> None:
        """Keep the parts."""
        await requests.keep_parts(batch.connection, state.new.values())
