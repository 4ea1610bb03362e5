"""How a service takes stations' calls: a row of a table and a function for each.

`routes` holds what a service writes down, `frames` takes its frames to decisions and answers, `consumer` puts them and
other topics into the one order in which a batch is applied.
"""

from chargebus_runtime.consumer import tell_nobody

from chargebus_calls.consumer import consumer
from chargebus_calls.frames import Frames
from chargebus_calls.routes import Answer, Block, Call, Fixed, Routes, Row, UnusableCallError
from chargebus_calls.topic import Topic

__all__ = [
    "Answer",
    "Block",
    "Call",
    "Fixed",
    "Frames",
    "Routes",
    "Row",
    "Topic",
    "UnusableCallError",
    "consumer",
    "tell_nobody",
]
