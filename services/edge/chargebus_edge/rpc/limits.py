"""The bounds of one connection: how long, and how many."""

from dataclasses import dataclass, field

from chargebus_events.commands import ANSWER_GRACE_S


@dataclass(frozen=True)
class ProtocolLimits:
    """How long and how many, in seconds and pieces.

    `order_hold_s`: how long an unanswered call holds back the answers to later ones.
    `forget_call_s`: when an unanswered call is given up; the station has long done so.
    `max_open_calls`: unanswered calls of the station.
    `max_waiting_calls`: what it may send beyond them before it can be stopped: more than one read of its socket brings.
    `max_waiting_commands`: commands that wait behind the one in flight.
    `command_wait_s`: how long one may wait there.
    `answer_grace_s`: how long after a command's answer was due `command` waits for the report of it.
    `settle_s`: how long a new connection is left in peace if it says nothing: most stations boot first, and some
    start over when they are called before that is answered.
    """

    order_hold_s: float = 5.0
    forget_call_s: float = 120.0
    max_open_calls: int = 32
    max_waiting_calls: int = 4096
    max_waiting_commands: int = 4
    command_wait_s: float = 10.0
    answer_grace_s: float = ANSWER_GRACE_S
    settle_s: float = 1.0


@dataclass(frozen=True)
class ConnectionLimits:
    """The bounds of one connection.

    `ping_after_s`: a station that was silent for so long is pinged. `pong_within_s`: how long one that has answered
    a ping before may take to answer the next. `silent_for_s`: how long one that never did may say nothing at all.
    `unseen_s`: how long `device` may hear nothing of a station that is there, before the log says so.
    `unacknowledged`: frames on their way to Kafka before its socket is read no further.
    """

    protocol: ProtocolLimits = field(default_factory=ProtocolLimits)
    ping_after_s: float = 60.0
    pong_within_s: float = 30.0
    silent_for_s: float = 900.0
    unseen_s: float = 360.0
    unacknowledged: int = 32
