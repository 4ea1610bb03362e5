"""Owns wiring the session service: the only place where its settings are read."""

from chargebus_calls import Frames, Topic, consumer, tell_nobody
from chargebus_events.topics import PRESENCE
from chargebus_runtime.clock import Clock
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_runtime.database import Database
from chargebus_runtime.process import Process, Service
from chargebus_runtime.waiters import Waiters
from fastapi import APIRouter

from chargebus_session.metrics import Metrics
from chargebus_session.names import SERVICE
from chargebus_session.remote import api as remote_api
from chargebus_session.remote.handlers import OUTCOMES, PRESENCE_S, Handlers
from chargebus_session.remote.operations import Intents
from chargebus_session.routes import ROUTES
from chargebus_session.settings import SessionSettings
from chargebus_session.tokens import api as tokens_api
from chargebus_session.tokens.block import Authorizations
from chargebus_session.transactions import api as transactions_api
from chargebus_session.transactions.block import Transactions


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(SessionSettings)
    database = process.database(SERVICE, "chargebus_session")
    waiters = Waiters(database, "session_intents")
    return Service(
        SERVICE,
        database=database,
        consumer=consumed(waiters, Metrics(), process.clock),
        routers={"/v1": router(database, Intents(database, waiters, settings.remote_ttl_s), settings.bulk_tokens)},
        tasks=(waiters.run,),
    )


def consumed(waiters: Waiters, metrics: Metrics, clock: Clock) -> ConsumerSpec:
    """Return what the service consumes: versions of stations, their calls, and how our commands ended."""
    remote = Handlers(waiters, metrics)
    return consumer(
        Topic(PRESENCE, remote.follow_presence, tell_nobody, PRESENCE_S),
        Frames(SERVICE, ROUTES, [Authorizations(metrics), Transactions(metrics)], clock),
        Topic(OUTCOMES, remote.end_intents, tell_nobody),
    )


def router(database: Database, intents: Intents, bulk_tokens: int) -> APIRouter:
    """Return the routes of this service; one bulk call may register `bulk_tokens`."""
    routes = APIRouter()
    routes.include_router(tokens_api.router(database, bulk_tokens))
    routes.include_router(transactions_api.router(database))
    routes.include_router(remote_api.router(intents))
    return routes
