from chargebus_notification.alerts.store import tables as _alerts  # noqa: F401 - declares its tables
from chargebus_notification.customer_information.store import tables as _customer_information  # noqa: F401 - declares its tables
from chargebus_notification.delivery.store import tables as _delivery  # noqa: F401 - declares its tables
from chargebus_notification.displays.store import tables as _displays  # noqa: F401 - declares its tables
from chargebus_notification.events.store import tables as _events  # noqa: F401 - declares its tables
from chargebus_notification.stations.store import tables as _stations  # noqa: F401 - declares its tables
from chargebus_notification.tables import Tables
from chargebus_runtime.migrations import run_env

run_env(Tables.metadata)
