"""Kafka in, beside frames: stations boot with a version, and are there to be asked."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec
from chargebus_events.public import STATION_BOOTED, STATION_CONNECTION, StationBooted, StationConnection
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_firmware.updates import store
from chargebus_firmware.updates.block import Keeping, StatusState, Told
from chargebus_firmware.updates.domain.telling import booted, replaced
from chargebus_firmware.updates.domain.update import Update

_TRIGGERED: Final = "Triggered"
_ASKED_LATELY: Final = timedelta(minutes=5)
_read_boot: Final = msgspec.json.Decoder(StationBooted).decode
_read_connection: Final = msgspec.json.Decoder(StationConnection).decode


class Boots:
    """Takes boots as the truth about updates, and has those looked at that wait for stations which connect."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping

    async def hear(self, batch: Batch, records: Sequence[Received]) -> None:
        """Take the events of a batch, after `stations` has taken them, which holds the rows of their stations."""
        boots = [(_read_boot(r.value or b""), r) for r in records if r.type == STATION_BOOTED]
        if boots:
            state = StatusState(await store.lock_newest(batch.connection, {boot.station_id for boot, _ in boots}))
            for boot, record in boots:
                update = state.of(boot.station_id)
                if update is not None:
                    state.after[boot.station_id] = Told(_after(update, boot), record)
            await self._keeping.keep_in_batch(batch, state.before, state.after)
        connections = (_read_connection(r.value or b"") for r in records if r.type == STATION_CONNECTION)
        there = {each.station_id for each in connections if each.connected} | {boot.station_id for boot, _ in boots}
        await store.wake(batch.connection, there, batch.now)


def _after(update: Update, boot: StationBooted) -> Update:
    if boot.replaced:
        return replaced(update, boot.at)
    return booted(update, boot.firmware_version, boot.at, by_itself=not _was_asked(update, boot))


def _was_asked(update: Update, boot: StationBooted) -> bool:
    """Tell whether a station may only have answered that it was asked to: OCPP 1.6 does not say why it boots."""
    if boot.reason:
        return boot.reason == _TRIGGERED
    return update.probed_at is not None and timedelta(0) <= boot.at - update.probed_at < _ASKED_LATELY
