"""Kafka in, beside frames: what `session` tells of sessions, and the register at their start."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from chargebus_events.public import SESSION_STARTED
from chargebus_events.record import Received
from chargebus_runtime.batch import Batch

from chargebus_metering.block import Readings, Report, Reported
from chargebus_metering.domain.readings import normalise
from chargebus_metering.domain.sessions import KnownSession, meter_start, place_of, possible
from chargebus_metering.store import sessions


class _SessionEvent(KnownSession, frozen=True):
    """What is read of a session's event; the rest of it is skipped, not decoded."""

    updated_at: datetime


_decode = msgspec.json.Decoder(_SessionEvent).decode


class SessionEvents:
    """Follows sessions. The start of an OCPP 1.6 transaction is read here: only `session` gives it an id."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    async def handle(self, batch: Batch, records: Sequence[Received]) -> None:
        """Remember whose transactions sessions are, and keep the readings at their starts."""
        told = [(record, _read(record)) for record in records]
        newest = {session.session_id: session for _, session in told}
        await sessions.remember(batch.connection, list(newest.values()))
        starts = Reported({})
        for record, session in told:
            start = meter_start(session) if record.type == SESSION_STARTED else None
            if start is not None:
                report = Report(
                    record.text("ce_id"), session.updated_at, place_of(session), normalise(start, session.updated_at)
                )
                starts.reports.append((record, report))
        if starts.reports:
            await self._readings.save(batch, starts)


def _read(record: Received) -> _SessionEvent:
    """Read the body of a session event; a place that cannot be (connector -1) is one that nobody has told."""
    session = _decode(record.value or b"")
    evse_id, connector_id = possible(session.evse_id, session.connector_id)
    return msgspec.structs.replace(session, evse_id=evse_id, connector_id=connector_id)
