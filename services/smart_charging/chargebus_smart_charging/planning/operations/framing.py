"""What goes to an optimiser's process and back: MessagePack, each message behind its length."""

import struct
from typing import Final

import msgspec

from chargebus_smart_charging.allocation.domain.problem import Plan, PlanProblem

LENGTH: Final = struct.Struct(">I")


class SolverTask(msgspec.Struct, frozen=True):
    """A problem, and how long it may take."""

    problem: PlanProblem
    within_s: float


class SolverAnswer(msgspec.Struct, frozen=True):
    """A plan, or why there is none."""

    plan: Plan | None = None
    error: str = ""


encode: Final = msgspec.msgpack.Encoder().encode
read_task: Final = msgspec.msgpack.Decoder(SolverTask).decode
read_answer: Final = msgspec.msgpack.Decoder(SolverAnswer).decode


def framed(body: bytes) -> bytes:
    """Return a message as it is written."""
    return LENGTH.pack(len(body)) + body
