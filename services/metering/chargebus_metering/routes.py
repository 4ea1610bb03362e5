"""Which frames bring readings, and how each is read."""

from collections.abc import Callable

from chargebus_metering import v16, v201
from chargebus_metering.domain.readings import Message

Reader = Callable[[str, bytes], Message]

READERS: dict[tuple[bytes, bytes], Reader] = {
    (b"1.6", b"MeterValues"): v16.meter_values,
    (b"1.6", b"StopTransaction"): v16.stop_transaction,
    (b"2.0.1", b"MeterValues"): v201.meter_values,
    (b"2.0.1", b"TransactionEvent"): v201.transaction_event,
    (b"2.1", b"MeterValues"): v201.meter_values,
    (b"2.1", b"TransactionEvent"): v201.transaction_event,
}
