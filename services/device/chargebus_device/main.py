"""Owns wiring the device service: the only place where its settings are read."""

from datetime import timedelta

from chargebus_runtime.process import Process, Service
from chargebus_runtime.tasks import every

from chargebus_device.api import router
from chargebus_device.boots import Boots
from chargebus_device.census import Census
from chargebus_device.domain.boot import Rules
from chargebus_device.edges import EdgeLife, EdgesHeard, LifeRules
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
    heard = EdgesHeard(process.clock)
    life = EdgeLife(database, heard, LifeRules(dead_after, settings.sweep_every_s))
    rules = Rules("refuse", settings.heartbeat_interval_s, settings.boot_retry_s)
    handlers = Handlers(Boots(rules, metrics), Statuses(metrics), PresenceLog(dead_after), process.clock)
    limits = BulkLimits(settings.bulk_stations, settings.bulk_chosen_passwords)
    return Service(
        SERVICE,
        database=database,
        consumer=handlers.spec(),
        views=(heard.view, registry_log.view),
        routers={"/v1": router(database, Registrar(database, limits))},
        tasks=(
            RegistryKeeper(database, process.producer, registry_log, metrics).run,
            life.run,
            every(settings.census_every_s, "counting stations", Census(database, metrics).count),
        ),
        start=life.note,
    )
