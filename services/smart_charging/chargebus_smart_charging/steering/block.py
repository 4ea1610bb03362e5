"""Charging profiles that stations of a batch report: kept once."""

from collections.abc import Sequence

from chargebus_calls import Block, Call
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.steering.domain.reports import ProfileReport, ReportedProfile
from chargebus_smart_charging.steering.store import reports


class Reports(Block[ProfileReport, list[ReportedProfile]]):
    """Keeps what stations report, whoever asked for it; its state is what the batch reports."""

    async def load(self, _batch: Batch, _calls: Sequence[Call[ProfileReport]]) -> list[ReportedProfile]:
        """Begin with nothing."""
        return []

    def decide(self, state: list[ReportedProfile], call: Call[ProfileReport]) -> None:
        """Take a part of a report; the edge answers it."""
        state.extend(call.request.profiles)

    async def save(self, batch: Batch, state: list[ReportedProfile]) -> None:
        """Keep what was reported."""
        await reports.keep(batch.connection, state)
