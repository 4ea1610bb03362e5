"""What time does with calls that wait for a pool or a responder."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_security.contracts.operations.answering import Answering

_PRUNE_EVERY_S: Final = 30.0


def tasks(answering: Answering) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (answering.run, every(_PRUNE_EVERY_S, "dropping calls about contracts that are over", answering.prune))
