"""The frame of an Authorize, with what is said of its contract certificate, on its way back to who decides it."""

from collections.abc import Callable

import msgspec
from chargebus_events.frames import CONTRACT_HEADER, ContractCheck, Frame
from chargebus_events.record import Record
from chargebus_events.topics import frames_topic

_encode: Callable[[ContractCheck], bytes] = msgspec.json.Encoder().encode


def checked(frame: Frame, check: ContractCheck) -> Record:
    """Return the frame for `session`, which answers it."""
    return frame.record(frames_topic("session"), (CONTRACT_HEADER, _encode(check)))
