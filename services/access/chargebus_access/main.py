"""The access service, wired: the only place where its settings are read."""

from chargebus_runtime.process import Process, Service
from chargebus_runtime.service import Hook, nothing
from chargebus_runtime.tasks import every

from chargebus_access.admin_file import AdminFile
from chargebus_access.api import router
from chargebus_access.keeper import KeyKeeper, KeyLog
from chargebus_access.metrics import AccessMetrics
from chargebus_access.settings import AccessSettings


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(AccessSettings)
    database = process.database("access", "chargebus_access")
    metrics = AccessMetrics()
    key_log = KeyLog()
    keeper = KeyKeeper(database, process.producer, key_log, metrics)
    install: Hook = nothing if settings.admin_key_file is None else AdminFile(settings.admin_key_file, database).install
    return Service(
        "access",
        database=database,
        views=(key_log.view,),
        routers={"/v1": router(database, metrics)},
        tasks=(every(settings.compare_every_s, "comparing the API keys", keeper.compare),),
        start=install,
    )
