"""The rows of StartTransaction, StopTransaction, TransactionEvent and MeterValues; what stations are asked."""

from collections.abc import Mapping, Sequence
from typing import Final

from chargebus_calls import Routes, Row
from chargebus_commanding import Form, Intents, Outcome, Transaction

from chargebus_session.transactions import v16, v201
from chargebus_session.transactions.block import MeterValues, Transactions
from chargebus_session.transactions.domain.endings import Answer
from chargebus_session.transactions.domain.outside import Readings
from chargebus_session.transactions.domain.sessions import Report, Session
from chargebus_session.transactions.domain.state import Recorded
from chargebus_session.transactions.store import endings

READINGS_REST_S: Final = 0.5
"""How long the topic of readings rests once it is read to its end: nobody waits for them, and most change nothing."""

_START: Final[Row[Report, Recorded]] = Row(v16.start_transaction, Transactions, v16.transaction_started)
_STOP: Final[Row[Report, Recorded]] = Row(v16.stop_transaction, Transactions, v16.transaction_stopped)
_EVENT: Final[Row[Report, Recorded]] = Row(v201.transaction_event, Transactions, v201.transaction_noted)
_V16_READINGS: Final[Row[Readings, None]] = Row(v16.meter_values, MeterValues)
_READINGS: Final[Row[Readings, None]] = Row(v201.meter_values, MeterValues)

ROUTES: Final[Routes] = {
    ("1.6", "StartTransaction"): _START,
    ("1.6", "StopTransaction"): _STOP,
    ("2.0.1", "TransactionEvent"): _EVENT,
    ("2.1", "TransactionEvent"): _EVENT,
    ("1.6", "MeterValues"): _V16_READINGS,
    ("2.0.1", "MeterValues"): _READINGS,
    ("2.1", "MeterValues"): _READINGS,
}

TRANSACTION_STATUS: Final = "transaction_status"

_V2: Final = ("2.0.1", "2.1")
GOES_ON_IN: Final[Mapping[str, tuple[str, ...]]] = {"1.6": ("1.6",), "2.0.1": _V2, "2.1": _V2}
"""The versions from which a transaction can go on when its station speaks another."""

_STATUS: Final[Mapping[str, tuple[str, ...]]] = {"2.0.1": _V2, "2.1": _V2}


def status_forms(session: Session) -> tuple[Form, ...]:
    """Return how a station is asked whether a transaction goes on; OCPP 1.6 has no way.

    Spec: OCPP 2.0.1 E14
    """
    versions = _STATUS.get(session.version)
    if versions is None:
        return ()
    return (Form.of(versions, "GetTransactionStatus", {"transactionId": session.transaction_id}),)


async def statuses_told(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Note what stations said of transactions that may be over."""
    await endings.tell(tx.connection, {each.subject: _answer(each) for each in outcomes}, tx.now)


def _answer(outcome: Outcome) -> Answer:
    if outcome.name == "refused":
        return "refused"
    if outcome.name != "answered":
        return "silent"
    if outcome.members.get("ongoingIndicator") is True:
        return "ongoing"
    return "queued" if outcome.members.get("messagesInQueue") is True else "over"


INTENTS: Final[Intents] = {TRANSACTION_STATUS: statuses_told}
