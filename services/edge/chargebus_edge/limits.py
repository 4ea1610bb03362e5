"""The bounds of one connection's RPC state."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LinkLimits:
    """How long and how many, in seconds and pieces.

    `order_hold_s`: how long an unanswered call holds back the answers to later ones.
    `forget_call_s`: when an unanswered call is given up; the station has long done so.
    `max_open_calls`: unanswered calls of the station.
    `max_waiting_commands`: commands that wait behind the one in flight.
    `command_wait_s`: how long one may wait there.
    `settle_s`: how long a new connection is left in peace if it says nothing: most stations boot first, and some
    start over when they are called before that is answered.
    """

    order_hold_s: float = 5.0
    forget_call_s: float = 120.0
    max_open_calls: int = 32
    max_waiting_commands: int = 4
    command_wait_s: float = 10.0
    settle_s: float = 1.0
