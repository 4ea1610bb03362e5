"""What follows from an attempt to deliver: done, once more later, or the receiver is given up for now."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

GONE = "the receiver says that it is gone for good (410)"


class Result(msgspec.Struct, frozen=True):
    """What came of an attempt.

    `delivered`: the receiver has it; `failed`: another try may do; `gone`: no other try will, until somebody changes
    the subscription. `error` is for people; of what was delivered it says who did not get it. `remaining` are the
    addresses that another try is for, where not all are.
    """

    outcome: Literal["delivered", "failed", "gone"]
    status: int | None = None
    error: str = ""
    retry_after_s: float = 0.0
    remaining: tuple[str, ...] | None = None


class Patience(msgspec.Struct, frozen=True):
    """How long a receiver that does not answer is tried, and how far apart two tries are at most."""

    give_up_after: timedelta
    longest_pause: timedelta


class Decision(msgspec.Struct, frozen=True):
    """What is done next: at `retry_at` the same again; `parked_for` is why the receiver is given up."""

    delivered: bool = False
    retry_at: datetime | None = None
    parked_for: str = ""


def decide(
    result: Result, failing_since: datetime | None, pause_s: float, now: datetime, patience: Patience
) -> Decision:
    """Return what is done after an attempt.

    Args:
        result: what came of it.
        failing_since: when the first of the attempts failed that have failed in a row; None: this is the first.
        pause_s: the pause that the policy of retries asks for.
        now: when the attempt ended.
        patience: of the service.
    """
    if result.outcome == "delivered":
        return Decision(delivered=True)
    if result.outcome == "gone":
        return Decision(parked_for=result.error)
    if failing_since is not None and now - failing_since >= patience.give_up_after:
        hours = patience.give_up_after.total_seconds() / 3600
        return Decision(parked_for=f"nothing could be delivered for {hours:.3g} hours: {result.error}")
    asked = min(timedelta(seconds=result.retry_after_s), max(patience.longest_pause, timedelta(hours=1)))
    return Decision(retry_at=now + max(timedelta(seconds=pause_s), asked))
