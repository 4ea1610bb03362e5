"""The rows of StartTransaction, StopTransaction and TransactionEvent."""

from typing import Final

from chargebus_calls import Routes, Row

from chargebus_session.transactions import v16, v201
from chargebus_session.transactions.block import Transactions
from chargebus_session.transactions.domain.sessions import Report
from chargebus_session.transactions.domain.state import Recorded

_START: Final[Row[Report, Recorded]] = Row(v16.start_transaction, Transactions, v16.transaction_started)
_STOP: Final[Row[Report, Recorded]] = Row(v16.stop_transaction, Transactions, v16.transaction_stopped)
_EVENT: Final[Row[Report, Recorded]] = Row(v201.transaction_event, Transactions, v201.transaction_noted)

ROUTES: Final[Routes] = {
    ("1.6", "StartTransaction"): _START,
    ("1.6", "StopTransaction"): _STOP,
    ("2.0.1", "TransactionEvent"): _EVENT,
    ("2.1", "TransactionEvent"): _EVENT,
}
