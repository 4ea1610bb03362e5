"""Owns wiring the session service: the only place where its settings are read."""

from chargebus_calls import Frames, consumer
from chargebus_commanding import Commanding
from chargebus_runtime.clock import Clock
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.database import Database
from chargebus_runtime.process import Process, Service
from fastapi import APIRouter

from chargebus_session.metrics import Metrics
from chargebus_session.names import SERVICE
from chargebus_session.remote import api as remote_api
from chargebus_session.remote.operations import RemoteControl
from chargebus_session.remote.routes import OUTCOMES
from chargebus_session.routes import ROUTES
from chargebus_session.settings import SessionSettings
from chargebus_session.tokens import api as tokens_api
from chargebus_session.tokens.block import Authorizations
from chargebus_session.transactions import api as transactions_api
from chargebus_session.transactions.block import MeterValues, Transactions


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(SessionSettings)
    database = process.database(SERVICE, "chargebus_session")
    commanding = Commanding(SERVICE, database, OUTCOMES, process.edges.kafka_clock)
    return Service(
        SERVICE,
        database=database,
        consumer=consumed(commanding, Metrics(), process.clock, settings.max_power_w),
        views=(process.edges.view,),
        routers={"/v1": router(database, commanding, settings)},
        tasks=commanding.tasks,
    )


def consumed(commanding: Commanding, metrics: Metrics, clock: Clock, max_power_w: float) -> ConsumerSpec:
    """Return what the service consumes: stations' calls, and how the commands ended that it asked for."""
    blocks = Authorizations(metrics), Transactions(metrics, max_power_w), MeterValues(metrics)
    frames = Frames(SERVICE, ROUTES, blocks, clock, listens_to=["metering"])
    return consumer(frames, commanding)


def router(database: Database, commanding: Commanding, settings: SessionSettings) -> APIRouter:
    """Return the routes of this service."""
    routes = APIRouter()
    routes.include_router(tokens_api.router(database, settings.bulk_tokens))
    routes.include_router(transactions_api.router(database))
    routes.include_router(remote_api.router(RemoteControl(database, commanding), settings.remote_ttl_s))
    return routes
