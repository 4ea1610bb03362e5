"""The composition root of metering."""

from chargebus_runtime.process import Process
from chargebus_runtime.service import Service

from chargebus_metering.api import router
from chargebus_metering.handlers import consumer
from chargebus_metering.metrics import Metrics


def build(process: Process) -> Service:
    """Wire the service."""
    database = process.database("metering", "chargebus_metering")
    return Service("metering", database=database, consumer=consumer(Metrics()), routers={"/v1": router(database)})
