"""Frames that a service answers by and by, not in their batch."""

from typing import Any

import msgspec
from chargebus_events.frames import Frame
from chargebus_events.topics import DOWNLINK, frames_topic

from chargebus_testkit.bed import Bed
from chargebus_testkit.waiting import eventually


class Asking:
    """Frames go in, their answers come out."""

    def __init__(self, bed: Bed, service: str = "security") -> None:
        self._bed = bed
        self._topic = frames_topic(service)

    async def __call__(self, *frames: Frame) -> list[dict[str, Any]]:
        """Send frames, and return the payload of the one answer to each."""
        await self._bed.publish(*(each.record(self._topic) for each in frames))
        return [await self.answer(each) for each in frames]

    async def answer(self, asked: Frame) -> dict[str, Any]:
        """Return the payload of the answer to a frame.

        Raises:
            ValueError: it was answered more than once.
        """

        async def told() -> list[bytes | None]:
            records = await self._bed.read(DOWNLINK, asked.station_id)
            return [each.value for each in records if int(each.headers["ocpp_number"]) == asked.number]

        found = await eventually(told, bool, what=f"the answer to {asked.action}")
        [content] = found
        told_once: dict[str, Any] = msgspec.json.decode(content or b"")
        return told_once
