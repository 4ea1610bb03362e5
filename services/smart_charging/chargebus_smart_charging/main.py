"""The service smart-charging, wired: the only place where its settings are read."""

from datetime import timedelta
from typing import Final

from chargebus_calls import Frames, Topic, consumer, tell_nobody
from chargebus_commanding import Commanding, Intents
from chargebus_events.topics import METER_VALUES, SESSION_EVENTS
from chargebus_runtime.process import Process, Service
from chargebus_runtime.tasks import every
from fastapi import APIRouter

from chargebus_smart_charging.limits import api as limits_api
from chargebus_smart_charging.limits.block import Hearings
from chargebus_smart_charging.limits.operations import Operations
from chargebus_smart_charging.limits.tasks import tasks
from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.names import FRAMES, SERVICE
from chargebus_smart_charging.routes import ROUTES
from chargebus_smart_charging.settings import SmartChargingSettings
from chargebus_smart_charging.sites import api as sites_api
from chargebus_smart_charging.sites.operations import Sites
from chargebus_smart_charging.vehicles import api as vehicles_api
from chargebus_smart_charging.vehicles.block import Needs
from chargebus_smart_charging.vehicles.handlers import METERS_WAIT_S, SESSIONS_WAIT_S, hear_meters, hear_sessions
from chargebus_smart_charging.vehicles.operations import DriverNeeds, Forgetting

INTENTS: Final[Intents] = {}


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(SmartChargingSettings)
    database = process.database(SERVICE, "chargebus_smart_charging")
    metrics = Metrics()
    commanding = Commanding(SERVICE, database, INTENTS, process.edges.kafka_clock)
    operations = Operations(database, metrics, timedelta(days=settings.keep_days))
    routes = APIRouter()
    routes.include_router(sites_api.router(Sites(database, metrics)))
    routes.include_router(limits_api.router(operations))
    routes.include_router(vehicles_api.router(DriverNeeds(database)))
    forgetting = Forgetting(database, timedelta(days=settings.keep_days))
    return Service(
        SERVICE,
        database=database,
        consumer=consumer(
            Frames(FRAMES, ROUTES, [Hearings(metrics), Needs()], process.clock),
            Topic(SESSION_EVENTS, hear_sessions, tell_nobody, SESSIONS_WAIT_S),
            Topic(METER_VALUES, hear_meters, tell_nobody, METERS_WAIT_S),
            commanding,
        ),
        views=(process.edges.view,),
        routers={"/v1": routes},
        tasks=(
            *commanding.tasks,
            *tasks(operations, settings.forget_every_s),
            every(settings.forget_every_s, "forgetting EVSEs that are not heard any more", forgetting.sweep),
        ),
    )
