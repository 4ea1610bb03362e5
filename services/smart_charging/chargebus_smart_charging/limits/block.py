"""Stations of a batch: what was known of them is loaded once, each message is taken in its turn, all is kept once."""

from collections.abc import Sequence

from chargebus_calls import Block, Call
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.limits.domain.hearing import Hearing, heard_again
from chargebus_smart_charging.limits.store import hearings
from chargebus_smart_charging.metrics import Metrics


class Hearings(Block[Hearing, dict[str, Hearing]]):
    """Keeps when stations were heard; its state is what is known of each station of the batch."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[Hearing]]) -> dict[str, Hearing]:
        """Return what is known of the stations that call."""
        self._metrics.heard.add(len(calls))
        return await hearings.lock(batch.connection, {call.request.station_id for call in calls})

    def decide(self, state: dict[str, Hearing], call: Call[Hearing]) -> None:
        """Take a call in its turn; the edge answers it."""
        station_id = call.request.station_id
        state[station_id] = heard_again(state.get(station_id), call.request)

    async def save(self, batch: Batch, state: dict[str, Hearing]) -> None:
        """Keep what is known now."""
        await hearings.keep(batch.connection, state.values())
