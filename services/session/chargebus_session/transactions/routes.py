"""The rows of StartTransaction, StopTransaction, TransactionEvent and MeterValues."""

from typing import Final

from chargebus_calls import Routes, Row

from chargebus_session.transactions import v16, v201
from chargebus_session.transactions.block import MeterValues, Transactions
from chargebus_session.transactions.domain.outside import Readings
from chargebus_session.transactions.domain.sessions import Report
from chargebus_session.transactions.domain.state import Recorded

READINGS_WAIT_S: Final = 0.5
"""How long readings may wait for others: nobody waits for them."""

_START: Final[Row[Report, Recorded]] = Row(v16.start_transaction, Transactions, v16.transaction_started)
_STOP: Final[Row[Report, Recorded]] = Row(v16.stop_transaction, Transactions, v16.transaction_stopped)
_EVENT: Final[Row[Report, Recorded]] = Row(v201.transaction_event, Transactions, v201.transaction_noted)
_V16_READINGS: Final[Row[Readings, None]] = Row(v16.meter_values, MeterValues, wait_s=READINGS_WAIT_S)
_READINGS: Final[Row[Readings, None]] = Row(v201.meter_values, MeterValues, wait_s=READINGS_WAIT_S)

ROUTES: Final[Routes] = {
    ("1.6", "StartTransaction"): _START,
    ("1.6", "StopTransaction"): _STOP,
    ("2.0.1", "TransactionEvent"): _EVENT,
    ("2.1", "TransactionEvent"): _EVENT,
    ("1.6", "MeterValues"): _V16_READINGS,
    ("2.0.1", "MeterValues"): _READINGS,
    ("2.1", "MeterValues"): _READINGS,
}
