"""The rules of a station's queue: one command in flight, order kept, each command ends once.

A command is never sent again once a socket had it: only `undeliverable`, the edge's word that it was not written,
brings it back to the queue.
"""

from collections.abc import Iterable

from chargebus_command.domain.arrivals import arrive
from chargebus_command.domain.decision import Decision, Surroundings
from chargebus_command.domain.dispatch import settle
from chargebus_command.domain.events import Event
from chargebus_command.domain.state import Station


def decide(station: Station, events: Iterable[Event], around: Surroundings) -> Decision:
    """Apply what happened, in order, then do what time and the connection ask for."""
    decision = Decision(station)
    for event in events:
        decision = arrive(decision, event, around.rules, around.now)
    return settle(decision, around)
