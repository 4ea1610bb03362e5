"""The table: which frames bring readings, and how each is read."""

from functools import partial
from typing import Final

from chargebus_calls import Routes, Row

from chargebus_metering import v16, v201
from chargebus_metering.block import Readings, Report, report

_V16_METER_VALUES: Final[Row[Report, None]] = Row(partial(report, v16.meter_values), Readings)
_V16_STOP: Final[Row[Report, None]] = Row(partial(report, v16.stop_transaction), Readings)
_METER_VALUES: Final[Row[Report, None]] = Row(partial(report, v201.meter_values), Readings)
_TRANSACTION_EVENT: Final[Row[Report, None]] = Row(partial(report, v201.transaction_event), Readings)

ROUTES: Final[Routes] = {
    ("1.6", "MeterValues"): _V16_METER_VALUES,
    ("1.6", "StopTransaction"): _V16_STOP,
    ("2.0.1", "MeterValues"): _METER_VALUES,
    ("2.0.1", "TransactionEvent"): _TRANSACTION_EVENT,
    ("2.1", "MeterValues"): _METER_VALUES,
    ("2.1", "TransactionEvent"): _TRANSACTION_EVENT,
}
