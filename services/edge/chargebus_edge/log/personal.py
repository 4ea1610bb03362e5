"""What stations tell of people is sealed before it is on Kafka, which keeps frames for days."""

import msgspec
from chargebus_events.personal import GOOD_FOR, PERSONAL, SEALED, context_of
from chargebus_runtime.clock import Clock
from chargebus_runtime.sealing import Sealing

from chargebus_edge.log.frames import Seal


def sealing_with(sealing: Sealing, clock: Clock) -> Seal | None:
    """Return what seals; None: there is no key, and frames go as they are."""
    if not sealing.has_keys:
        return None

    def seal(action: str, station_id: str, payload: bytes) -> bytes:
        said, member = msgspec.json.decode(payload), PERSONAL[action]
        if not isinstance(said, dict) or member not in said:  # it breaks its schema: nobody can tell what is personal
            return b"{}"
        text = said[member] if isinstance(said[member], str) else msgspec.json.encode(said[member]).decode()
        sealed = sealing.seal(text.encode(), context_of(action, station_id), clock() + GOOD_FOR)
        return msgspec.json.encode(said | {member: sealed, SEALED: True})

    return seal
