"""Owns wiring the device service: the only place where its settings are read."""

from datetime import timedelta

from chargebus_runtime.process import Process, Service
from chargebus_runtime.tasks import every

from chargebus_device.api import router
from chargebus_device.boots import Boots
from chargebus_device.census import Census
from chargebus_device.domain.boot import Rules
from chargebus_device.edges import EdgeLife, LifeRules
from chargebus_device.handlers import Handlers
from chargebus_device.metrics import DeviceMetrics
from chargebus_device.presence import PresenceLog
from chargebus_device.registrar import BulkLimits, Registrar
from chargebus_device.registry import RegistryKeeper, RegistryLog
from chargebus_device.settings import DeviceSettings
from chargebus_device.source import SERVICE
from chargebus_device.statuses import Statuses


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(DeviceSettings)
    dead_after = timedelta(seconds=settings.edge_dead_after_s)
    database = process.database(SERVICE, "chargebus_device")
    metrics = DeviceMetrics()
    registry_log = RegistryLog()
    life = EdgeLife(database, process.edges, LifeRules(dead_after, settings.sweep_every_s), process.clock)
    rules = Rules("refuse", settings.heartbeat_interval_s, settings.boot_retry_s)
    handlers = Handlers(Boots(rules, metrics), Statuses(metrics), PresenceLog(life.known), process.clock)
    limits = BulkLimits(settings.bulk_stations, settings.bulk_chosen_passwords)
    return Service(
        SERVICE,
        database=database,
        consumer=handlers.spec(),
        views=(process.edges.view, registry_log.view),
        routers={"/v1": router(database, Registrar(database, limits))},
        tasks=(
            RegistryKeeper(database, process.producer, registry_log, metrics).run,
            life.run,
            every(settings.census_every_s, "counting stations", Census(database, metrics).count),
        ),
    )
