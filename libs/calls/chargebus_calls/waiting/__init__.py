"""Calls whose answers need something slow: they are kept in rows, taken by any copy of the service, answered later.

A block hands them to `WaitingCalls.add`; the transaction of its batch waits for nobody. `calls` holds what waits and
how it ends, `answering` takes it and ends it, `store` has the queries, `schema` the table in the service's database.
"""

from chargebus_calls.waiting.answering import WaitingCalls
from chargebus_calls.waiting.calls import Came, Ended, Finish, Kind, WaitingCall, Work
from chargebus_calls.waiting.schema import create_waiting_tables, drop_waiting_tables

__all__ = [
    "Came",
    "Ended",
    "Finish",
    "Kind",
    "WaitingCall",
    "WaitingCalls",
    "Work",
    "create_waiting_tables",
    "drop_waiting_tables",
]
