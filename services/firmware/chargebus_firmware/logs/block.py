"""What stations of a batch say of their logs: what was known is loaded once, each is taken in its turn, kept once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chargebus_calls import Block, Call
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_firmware.logs.domain.log import Log, Patience, told
from chargebus_firmware.logs.domain.status import LogStatus, meant
from chargebus_firmware.logs.payload import news
from chargebus_firmware.logs.store import logs
from chargebus_firmware.metrics import Metrics


@dataclass
class Known:
    """The logs that the statuses of a batch may be of, and what they change, with the record that did."""

    before: dict[int, Log]
    logs: dict[int, Log]
    changed: dict[int, Received] = field(default_factory=dict)


class Statuses(Block[LogStatus, Known]):
    """Takes what stations say of their logs."""

    def __init__(self, patience: Patience, metrics: Metrics) -> None:
        self._patience = patience
        self._metrics = metrics

    async def load(self, batch: Batch, calls: Sequence[Call[LogStatus]]) -> Known:
        """Return the logs that may be meant."""
        before = await logs.lock_meant(batch.connection, [call.request for call in calls])
        return Known(before, dict(before))

    def decide(self, state: Known, call: Call[LogStatus]) -> None:
        """Take a status in its turn; the edge answers it."""
        status = call.request
        log = meant(status, state.logs.values())
        if log is None:
            if status.status != "Idle":
                self._metrics.stray_log_statuses.add(1, {"version": call.frame.version})
            return
        state.logs[log.log_id] = told(log, status.status, status.at, status.detail)
        state.changed[log.log_id] = call.record

    async def save(self, batch: Batch, state: Known) -> None:
        """Keep what is known now, and tell what is news."""
        await logs.keep(batch.connection, [state.logs[log_id] for log_id in state.changed], self._patience)
        for log_id, record in state.changed.items():
            told_of = news(state.before[log_id], state.logs[log_id], batch.now)
            if told_of is not None:
                batch.send(told_of, because=record)
