"""What vehicles of a batch need."""

from collections.abc import Sequence
from typing import Final

from chargebus_calls import Answer, Block, Call
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.vehicles.domain.needs import ChargingNeeds

REJECTED: Final = "Rejected"


class Needs(Block[ChargingNeeds, None]):
    """Answers what vehicles need; no profile comes of it yet, so each is rejected."""

    async def load(self, _batch: Batch, _calls: Sequence[Call[ChargingNeeds]]) -> None:
        """Nothing is kept."""

    def decide(self, _state: None, call: Call[ChargingNeeds]) -> Answer:
        """Answer a call."""
        return call.answered(REJECTED)

    async def save(self, _batch: Batch, _state: None) -> None:
        """Nothing is kept."""
