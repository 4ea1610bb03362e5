"""How a service asks stations for something, and learns what came of it.

A service has one `Commanding`: `ask` within a transaction, and a table of its intents that says what becomes of their
outcomes. Who asks knows neither the version that a station speaks nor its edge: it gives the forms in which its
command can be sent, and `command` takes the one that suits.

`asking` holds what is asked, `outcomes` what comes of it, `store` the library's table in the service's database,
`http` how an API answers for it.
"""

from chargebus_commanding.asking import Ask, Asked, Form, InBatch, KeyReusedError, Transaction
from chargebus_commanding.commanding import Commanding
from chargebus_commanding.outcomes import Intents, Outcome
from chargebus_commanding.schema import create_commanding_tables, drop_commanding_tables

__all__ = [
    "Ask",
    "Asked",
    "Commanding",
    "Form",
    "InBatch",
    "Intents",
    "KeyReusedError",
    "Outcome",
    "Transaction",
    "create_commanding_tables",
    "drop_commanding_tables",
]
