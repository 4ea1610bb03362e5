from chargebus_firmware.campaigns.store import tables as _campaigns  # noqa: F401 - declares its tables
from chargebus_firmware.images.store import tables as _images  # noqa: F401 - declares its tables
from chargebus_firmware.links import store as _links  # noqa: F401 - declares its tables
from chargebus_firmware.logs.store import tables as _logs  # noqa: F401 - declares its tables
from chargebus_firmware.publications import store as _publications  # noqa: F401 - declares its tables
from chargebus_firmware.stations import store as _stations  # noqa: F401 - declares its tables
from chargebus_firmware.tables import Tables
from chargebus_firmware.updates import store as _updates  # noqa: F401 - declares its tables
from chargebus_runtime.migrations import run_env

run_env(Tables.metadata)
