"""Owns what comes in from Kafka: a batch of frames and presence, sorted by what is to be done with it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
from chargebus_events.frames import Frame
from chargebus_events.record import Received, Record
from chargebus_events.topics import PRESENCE, frames_topic
from chargebus_ocppj.errors import error_code
from chargebus_ocppj.versions import as_version
from chargebus_runtime.batch import Batch
from chargebus_runtime.clock import Clock
from chargebus_runtime.consumer import ConsumerSpec

from chargebus_device.boots import Boots, IncomingBoot
from chargebus_device.incoming import Incoming
from chargebus_device.presence import PresenceLog
from chargebus_device.routes import SIGN_OF_LIFE, BootRoute, FixedRoute, StatusRoute, treat, wants_answer
from chargebus_device.source import SERVICE, SOURCE
from chargebus_device.statuses import IncomingStatus, Statuses
from chargebus_device.store import connections, edges

FRAMES = frames_topic(SERVICE)

BOOT_S = 0.02  # of the half minute that a booting station waits: many come at once when an edge or a mast is back
SIGN_OF_LIFE_S = 0.25
PRESENCE_S = 0.03


class Handlers:
    """Applies batches."""

    def __init__(self, boots: Boots, statuses: Statuses, presence: PresenceLog, clock: Clock) -> None:
        self._boots = boots
        self._statuses = statuses
        self._presence = presence
        self._clock = clock

    def spec(self) -> ConsumerSpec:
        """Return what this service consumes, and how."""
        return ConsumerSpec((FRAMES, PRESENCE), self.handle, self.refuse, forget_connections, patience=patience)

    async def handle(self, batch: Batch) -> None:
        """Apply a batch: presence, then boots, which may register stations, then the rest."""
        frames = [record for record in batch.records if record.topic == FRAMES]
        boots: list[IncomingBoot] = []
        statuses: list[IncomingStatus] = []
        for record in frames:
            treatment = treat(record.headers["ocpp_version"], record.headers["ocpp_action"])
            if treatment is SIGN_OF_LIFE:
                continue
            frame = Frame.read(record)
            match treatment.route:
                case BootRoute() as found:
                    boots.append(Incoming(record, frame, found))
                case StatusRoute() as found:
                    statuses.append(Incoming(record, frame, found))
                case FixedRoute() as found:
                    Incoming(record, frame, found).answer(batch, found.answer)
                case None:
                    Incoming(record, frame, None).refuse_action(batch)
        presence = [record for record in batch.records if record.topic == PRESENCE]
        still_there = await self._presence.handle(batch, presence)
        await self._boots.handle(batch, boots)
        await self._statuses.handle(batch, statuses)
        await connections.seen(batch.connection, _last_seen(frames, still_there))

    def refuse(self, received: Received, _reason: str) -> Sequence[Record]:
        """Return the CALLERROR for a frame that was parked, if its station waits for us."""
        try:
            frame = Frame.read(received)
            code = error_code(as_version(frame.version), "internal")
        except (KeyError, ValueError):
            return ()
        if not wants_answer(frame.version, frame.action):
            return ()
        return (frame.error(code, "The CSMS could not handle this call", SOURCE, self._clock()),)


def patience(record: Received) -> float:
    """Return how long a record may wait for others, in seconds; a station waits for the answer to its boot."""
    if record.topic == PRESENCE:
        return PRESENCE_S
    headers = record.headers
    treatment = treat(headers.get("ocpp_version", b""), headers.get("ocpp_action", b""))
    return BOOT_S if treatment.waited_for else SIGN_OF_LIFE_S


async def forget_connections(connection: asyncpg.Connection) -> None:
    """Drop what was known of connections and edges: on a new Kafka cluster epochs count from 0 again."""
    await connections.forget(connection)
    await edges.forget(connection)


def _last_seen(frames: Iterable[Received], still_there: Mapping[str, datetime]) -> dict[str, datetime]:
    seen_ms: dict[str, int] = {}
    for record in frames:
        seen_ms[record.key] = max(record.timestamp_ms, seen_ms.get(record.key, 0))
    seen = {station_id: datetime.fromtimestamp(at_ms / 1000, UTC) for station_id, at_ms in seen_ms.items()}
    return seen | {station_id: max(at, seen.get(station_id, at)) for station_id, at in still_there.items()}
