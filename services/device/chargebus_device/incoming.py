"""Owns a frame on its way through this service: the record it came in, and answering it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chargebus_events.frames import Frame
from chargebus_events.record import Received
from chargebus_ocppj.errors import error_code
from chargebus_ocppj.schemas import encode_result
from chargebus_ocppj.versions import as_version
from chargebus_runtime.batch import Batch

from chargebus_device.source import SOURCE

R = TypeVar("R")


@dataclass(frozen=True)
class Incoming(Generic[R]):
    """A station's frame, the record it came in, and what the routes say of its action."""

    record: Received
    frame: Frame
    route: R

    def answer(self, batch: Batch, payload: Mapping[str, Any], *headers: tuple[str, bytes]) -> None:
        """Send the CALLRESULT; `headers` are for the edge."""
        frame = self.frame
        encoded = encode_result(as_version(frame.version), frame.action, payload)
        batch.send(frame.answer(encoded, SOURCE, batch.now, *headers), because=self.record)

    def refuse_action(self, batch: Batch) -> None:
        """Send the CALLERROR of an action that nothing here handles."""
        frame = self.frame
        code = error_code(as_version(frame.version), "not_supported")
        error = frame.error(code, f"{frame.action} is not supported", SOURCE, batch.now)
        batch.send(error, because=self.record)
