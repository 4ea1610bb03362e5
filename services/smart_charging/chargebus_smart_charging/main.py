"""The service smart-charging, wired: the only place where its settings are read."""

from datetime import timedelta
from typing import Final

from chargebus_calls import Frames, Topic, consumer, tell_nobody
from chargebus_commanding import Commanding, Intents
from chargebus_events.topics import CHARGING_LIMITS, GRID_SERIES, METER_VALUES, SESSION_EVENTS, STATION_EVENTS
from chargebus_runtime.process import Process, Service
from chargebus_runtime.tasks import every
from fastapi import APIRouter

from chargebus_smart_charging.limits import api as limits_api
from chargebus_smart_charging.limits import tasks as limits_tasks
from chargebus_smart_charging.limits.block import NotifiedLimits
from chargebus_smart_charging.limits.handlers import MainMeters, TopicLimits
from chargebus_smart_charging.limits.operations import Limits
from chargebus_smart_charging.metrics import Metrics
from chargebus_smart_charging.names import FRAMES, SERVICE
from chargebus_smart_charging.planning import api as planning_api
from chargebus_smart_charging.planning import tasks as planning_tasks
from chargebus_smart_charging.planning.operations.planning import Planning
from chargebus_smart_charging.planning.operations.pruning import Pruning
from chargebus_smart_charging.planning.operations.solver import Solvers
from chargebus_smart_charging.planning.operations.views import Overrides, Views
from chargebus_smart_charging.routes import ROUTES
from chargebus_smart_charging.series import api as series_api
from chargebus_smart_charging.series import handlers as series_handlers
from chargebus_smart_charging.series import tasks as series_tasks
from chargebus_smart_charging.series.handlers import TopicSeries
from chargebus_smart_charging.series.operations import GridSeries
from chargebus_smart_charging.settings import SmartChargingSettings
from chargebus_smart_charging.sites import api as sites_api
from chargebus_smart_charging.sites.operations import Sites
from chargebus_smart_charging.steering import api as steering_api
from chargebus_smart_charging.steering import handlers as steering_handlers
from chargebus_smart_charging.steering import operations as steering_operations
from chargebus_smart_charging.steering.block import Pulls, Reports
from chargebus_smart_charging.steering.handlers import hear_stations
from chargebus_smart_charging.steering.operations import Steering, Viewing
from chargebus_smart_charging.steering.store.known import told_by
from chargebus_smart_charging.vehicles import api as vehicles_api
from chargebus_smart_charging.vehicles.block import Needs
from chargebus_smart_charging.vehicles.handlers import hear_meters, hear_sessions
from chargebus_smart_charging.vehicles.operations import DriverNeeds, Forgetting

GATHER_S: Final = 0.2
"""How long records may wait in Kafka: a plan is made once a second at most, and each fetch and batch has its price."""


def intents(metrics: Metrics) -> Intents:
    """Return what is done about the outcomes of what stations are asked."""
    return steering_operations.intents(metrics)


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(SmartChargingSettings)
    database = process.database(SERVICE, "chargebus_smart_charging")
    metrics = Metrics()
    commanding = Commanding(SERVICE, database, intents(metrics), process.edges.kafka_clock)
    limits = Limits(database, metrics)
    series = GridSeries(database, metrics, timedelta(days=settings.series_keep_days))
    routes = APIRouter()
    routes.include_router(sites_api.router(Sites(database, metrics, told_by)))
    routes.include_router(limits_api.router(limits, process.clock))
    routes.include_router(series_api.router(series, process.clock))
    routes.include_router(steering_api.router(Viewing(database, commanding)))
    needs = DriverNeeds(database)
    routes.include_router(vehicles_api.router(needs))
    solvers = Solvers(settings.solvers, settings.solve_within_s)
    planning = Planning(database, solvers, Steering(commanding, metrics, limit_keys=settings.limit_keys), metrics)
    pruning = Pruning(database, timedelta(days=settings.plans_keep_days))
    views = Views(database, solvers, process.clock)
    routes.include_router(planning_api.router(views, Overrides(database), needs))
    keep = timedelta(days=settings.keep_days)
    forgetting = Forgetting(database, keep)
    unheard = steering_operations.Forgetting(database, keep)
    return Service(
        SERVICE,
        database=database,
        consumer=consumer(
            Frames(FRAMES, ROUTES, [Pulls(), NotifiedLimits(metrics), Needs(), Reports()], process.clock),
            Topic(SESSION_EVENTS, hear_sessions, tell_nobody),
            Topic(METER_VALUES, hear_meters, tell_nobody),
            Topic(METER_VALUES, MainMeters(metrics).hear, tell_nobody),
            Topic(CHARGING_LIMITS, TopicLimits(metrics).hear, tell_nobody),
            Topic(GRID_SERIES, TopicSeries(metrics).hear, tell_nobody, series_handlers.WAIT_S),
            Topic(STATION_EVENTS, hear_stations, tell_nobody, steering_handlers.WAIT_S),
            commanding,
            gather_s=GATHER_S,
        ),
        views=(process.edges.view,),
        routers={"/v1": routes},
        tasks=(
            *commanding.tasks,
            *limits_tasks.tasks(limits, settings.forget_every_s),
            *series_tasks.tasks(series, settings.forget_every_s),
            *planning_tasks.tasks(planning, solvers, pruning, settings.planners, settings.forget_every_s),
            every(settings.forget_every_s, "forgetting stations that are not heard any more", unheard.sweep),
            every(settings.forget_every_s, "forgetting EVSEs that are not heard any more", forgetting.sweep),
        ),
    )
