"""The access service, wired: the only place where its settings are read."""

from chargebus_runtime.process import Process, Service
from chargebus_runtime.service import Hook, nothing
from chargebus_runtime.tasks import every

from chargebus_access.api import router
from chargebus_access.handlers import KeyLog
from chargebus_access.metrics import Metrics
from chargebus_access.operations import AdminFile, KeyOperations
from chargebus_access.settings import AccessSettings
from chargebus_access.tasks import KeyKeeper


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(AccessSettings)
    database = process.database("access", "chargebus_access")
    metrics = Metrics()
    key_log = KeyLog()
    keeper = KeyKeeper(database, process.producer, key_log, metrics)
    install: Hook = nothing if settings.admin_key_file is None else AdminFile(settings.admin_key_file, database).install
    return Service(
        "access",
        database=database,
        views=(key_log.view,),
        routers={"/v1": router(KeyOperations(database, metrics))},
        tasks=(every(settings.compare_every_s, "comparing the API keys", keeper.compare),),
        start=install,
    )
