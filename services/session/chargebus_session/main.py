"""Owns wiring the session service: the only place where its settings are read."""

from chargebus_runtime.process import Process, Service
from chargebus_runtime.waiters import Waiters

from chargebus_session.api import router
from chargebus_session.handlers import Handlers
from chargebus_session.intents import Intents
from chargebus_session.metrics import Metrics
from chargebus_session.settings import SessionSettings


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(SessionSettings)
    database = process.database("session", "chargebus_session")
    waiters = Waiters(database, "session_intents")
    handlers = Handlers(waiters, Metrics(), process.clock)
    return Service(
        "session",
        database=database,
        consumer=handlers.consumer(),
        routers={"/v1": router(database, Intents(database, waiters, settings.remote_ttl_s), settings.bulk_tokens)},
        tasks=(waiters.run,),
    )
