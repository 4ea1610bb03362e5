"""The composition root of metering."""

from typing import Final

from chargebus_calls import Frames, Topic, consumer, tell_nobody
from chargebus_events.topics import SESSION_EVENTS
from chargebus_runtime.clock import Clock
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.process import Process
from chargebus_runtime.service import Service

from chargebus_metering.api import router
from chargebus_metering.block import Readings
from chargebus_metering.handlers import SessionEvents
from chargebus_metering.metrics import Metrics
from chargebus_metering.routes import ROUTES

GATHER_S: Final = 0.2  # no station waits for metering


def build(process: Process) -> Service:
    """Wire the service."""
    database = process.database("metering", "chargebus_metering")
    return Service(
        "metering",
        database=database,
        consumer=consumed(Metrics(), process.clock),
        routers={"/v1": router(database)},
    )


def consumed(metrics: Metrics, clock: Clock) -> ConsumerSpec:
    """Return what metering consumes: sessions first, as they tell where the readings of a batch belong."""
    readings = Readings(metrics)
    return consumer(
        Topic(SESSION_EVENTS, SessionEvents(readings).handle, tell_nobody),
        Frames("metering", ROUTES, [readings], clock, listens_to=["session"]),
        gather_s=GATHER_S,
    )
