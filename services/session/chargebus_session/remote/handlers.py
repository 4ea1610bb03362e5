"""Kafka in: the presence of stations, and the outcomes of our commands, a batch at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from chargebus_events.presence import Presence
from chargebus_events.record import Received
from chargebus_events.topics import outcomes_topic
from chargebus_ocppj.payloads import clean
from chargebus_runtime.batch import Batch
from chargebus_runtime.waiters import Waiters

from chargebus_session.metrics import Metrics
from chargebus_session.names import SERVICE
from chargebus_session.remote.store import intents, stations
from chargebus_session.remote.store.intents import Result

OUTCOMES: Final = outcomes_topic(SERVICE)

PRESENCE_S: Final = 0.03
"""How long what nobody waits for may wait for more of it: no longer than a boot takes, as a remote start may follow."""


class Outcome(msgspec.Struct, frozen=True):
    """What we read of a command's outcome; the payload is whatever the station sent, its schema broken or not."""

    command_id: str
    outcome: str
    ended_at: datetime
    payload: object = None
    error_code: str = ""
    error_description: str = ""
    reason: str = ""


_decode_outcome = msgspec.json.Decoder(Outcome).decode
_decode_presence = msgspec.json.Decoder(Presence).decode


class Handlers:
    """Applies what others tell: which version stations speak, and how our commands ended."""

    def __init__(self, waiters: Waiters, metrics: Metrics) -> None:
        self._waiters = waiters
        self._metrics = metrics

    async def follow_presence(self, batch: Batch, records: Sequence[Received]) -> None:
        """Note which version stations speak: what the newest connection of each was announced with."""
        presences = [_decode_presence(record.value) for record in records if record.value is not None]
        told = {presence.station_id: presence.version for presence in presences if presence.connected}
        if told:
            await stations.keep(batch.connection, told)

    async def end_intents(self, batch: Batch, records: Sequence[Received]) -> None:
        """Note how commands ended, and wake who waits for them."""
        results = [_result(record) for record in records]
        if not results:
            return
        for command_id in await intents.end(batch.connection, results):
            await self._waiters.notify(batch.connection, command_id)
        for result in results:
            self._metrics.intents.add(1, {"outcome": result.outcome, "status": result.status})


def _result(record: Received) -> Result:
    outcome = _decode_outcome(record.value or b"")
    status = outcome.payload.get("status") if isinstance(outcome.payload, dict) else None
    reason = outcome.reason or ": ".join(filter(None, (outcome.error_code, outcome.error_description)))
    return Result(outcome.command_id, outcome.outcome, clean(str(status or "")), clean(reason), outcome.ended_at)
