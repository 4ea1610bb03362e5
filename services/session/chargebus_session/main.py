"""Owns wiring the session service: the only place where its settings are read."""

from datetime import timedelta

from chargebus_calls import Frames, Topic, consumer, tell_nobody
from chargebus_commanding import Commanding, Intents
from chargebus_events.topics import REGISTRY, STATION_EVENTS
from chargebus_runtime.clock import Clock
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.database import Database
from chargebus_runtime.process import Process, Service
from chargebus_runtime.tasks import every
from fastapi import APIRouter

from chargebus_session.metrics import Metrics
from chargebus_session.names import SERVICE
from chargebus_session.remote import api as remote_api
from chargebus_session.remote.operations import RemoteControl
from chargebus_session.remote.routes import OUTCOMES
from chargebus_session.reservations import api as reservations_api
from chargebus_session.reservations import tasks as reservations_tasks
from chargebus_session.reservations.block import StatusUpdates, Uses
from chargebus_session.reservations.handlers import StationNews
from chargebus_session.reservations.operations import Answers, Reservations
from chargebus_session.routes import ROUTES
from chargebus_session.settings import SessionSettings
from chargebus_session.tokens import api as tokens_api
from chargebus_session.tokens import tasks as tokens_tasks
from chargebus_session.tokens.block import Authorizations
from chargebus_session.transactions import api as transactions_api
from chargebus_session.transactions import routes as transactions_routes
from chargebus_session.transactions.block import MeterValues, Transactions
from chargebus_session.transactions.domain.outside import LatelyEnded
from chargebus_session.transactions.handlers import REST_S, Signs
from chargebus_session.transactions.operations import Endings
from chargebus_session.transactions.routes import READINGS_REST_S


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(SessionSettings)
    database = process.database(SERVICE, "chargebus_session")
    metrics = Metrics()
    commanding = Commanding(SERVICE, database, intents(metrics), process.edges.kafka_clock, process.sealing)
    reservations = Reservations(database, commanding, metrics)
    endings = Endings(database, commanding, timedelta(seconds=settings.end_grace_s))
    return Service(
        SERVICE,
        database=database,
        consumer=consumed(commanding, metrics, process.clock, settings),
        views=(process.edges.view,),
        routers={"/v1": router(database, commanding, reservations, settings)},
        tasks=(
            *commanding.tasks,
            every(settings.end_sweep_s, "ending sessions", endings.sweep),
            *reservations_tasks.tasks(reservations),
            *tokens_tasks.tasks(database, process.clock),
        ),
    )


def intents(metrics: Metrics) -> Intents:
    """Return what is done about the outcomes of what stations are asked."""
    return {**OUTCOMES, **transactions_routes.INTENTS, **Answers(metrics).intents}


def consumed(commanding: Commanding, metrics: Metrics, clock: Clock, settings: SessionSettings) -> ConsumerSpec:
    """Return what the service consumes: stations' calls, what became of its commands, and signs of ends."""
    grace = timedelta(seconds=settings.end_grace_s)
    lately_ended = LatelyEnded()
    transactions = Transactions(metrics, settings.max_power_w, grace, lately_ended, Uses(metrics))
    blocks = Authorizations(metrics), transactions, MeterValues(metrics, lately_ended), StatusUpdates(metrics)
    signs, news = Signs(grace), StationNews(metrics)
    frames = Frames(SERVICE, ROUTES, blocks, clock, listens_to=["metering"], listened_rest_s=READINGS_REST_S)
    return consumer(
        frames,
        commanding,
        Topic(STATION_EVENTS, signs.hear_station, tell_nobody, rest_s=REST_S),
        Topic(REGISTRY, signs.hear_registry, tell_nobody, rest_s=REST_S),
        Topic(STATION_EVENTS, news.hear_station, tell_nobody, rest_s=REST_S),
        Topic(REGISTRY, news.hear_registry, tell_nobody, rest_s=REST_S),
        together=frames.topics,
    )


def router(
    database: Database, commanding: Commanding, reservations: Reservations, settings: SessionSettings
) -> APIRouter:
    """Return the routes of this service."""
    routes = APIRouter()
    routes.include_router(tokens_api.router(database, settings.bulk_tokens))
    routes.include_router(transactions_api.router(database))
    routes.include_router(remote_api.router(RemoteControl(database, commanding), settings.remote_ttl_s))
    routes.include_router(reservations_api.router(database, reservations))
    return routes
