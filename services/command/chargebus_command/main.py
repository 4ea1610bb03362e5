"""The command service, wired: the only place where its settings are read."""

from chargebus_events.topics import PRESENCE, REGISTRY
from chargebus_runtime.caught_up import CaughtUp
from chargebus_runtime.process import Process, Service
from chargebus_runtime.waiters import Waiters

from chargebus_command.api import ApiParts, router
from chargebus_command.block import Queues
from chargebus_command.handlers import Handlers
from chargebus_command.metrics import Metrics
from chargebus_command.operations import Commands
from chargebus_command.payload import Keeping
from chargebus_command.settings import CommandSettings
from chargebus_command.store.commands import ENDED_CHANNEL
from chargebus_command.tasks import Sweeper, SweepTimes


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(CommandSettings)
    rules = settings.rules()
    database = process.database("command", "chargebus_command")
    metrics = Metrics()
    keeping = Keeping.of(settings.secrets.secret_names, process.sealing)
    queues = Queues(rules, process.edges, settings.grace.edge_silence_s, metrics, keeping)
    waiters = Waiters(database, ENDED_CHANNEL)
    news = CaughtUp((PRESENCE, REGISTRY), database, process.kafka, process.producer)
    sweep = settings.sweep
    times = SweepTimes(sweep.sweep_every_s, sweep.sweep_stations, sweep.census_every_s, sweep.keep_days)
    sweeper = Sweeper(database, queues, metrics, times)
    return Service(
        "command",
        database=database,
        consumer=Handlers(queues, metrics, process.clock, process.edges.kafka_clock).consumer(),
        views=(process.edges.view,),
        routers={"/v1": router(ApiParts(Commands(database, queues, waiters, news), rules, settings.grace.http_wait_s))},
        tasks=(waiters.run, news.run, *sweeper.tasks),
    )
