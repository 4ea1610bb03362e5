"""The command service, wired: the only place where its settings are read."""

from chargebus_runtime.process import Process, Service
from chargebus_runtime.waiters import Waiters

from chargebus_command.api import ApiParts, router
from chargebus_command.desk import Desk
from chargebus_command.handlers import Handlers
from chargebus_command.ledger import ENDED_CHANNEL
from chargebus_command.metrics import CommandMetrics
from chargebus_command.placing import Counter
from chargebus_command.settings import CommandSettings
from chargebus_command.sweeper import Sweeper, SweepTimes


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(CommandSettings)
    rules = settings.rules()
    database = process.database("command", "chargebus_command")
    metrics = CommandMetrics()
    desk = Desk(rules, metrics)
    waiters = Waiters(database, ENDED_CHANNEL)
    times = SweepTimes(settings.sweep_every_s, settings.sweep_stations, settings.census_every_s, settings.keep_days)
    sweeper = Sweeper(database, desk, metrics, times)
    return Service(
        "command",
        database=database,
        consumer=Handlers(desk, metrics, process.clock).spec(),
        routers={"/v1": router(ApiParts(database, Counter(database, desk), waiters, rules, settings.http_wait_s))},
        tasks=(waiters.run, *sweeper.tasks),
    )
