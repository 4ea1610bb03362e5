"""What time does with the status of certificates."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_security.status.operations.answering import Answering

_PRUNE_EVERY_S: Final = 30.0


def tasks(answering: Answering) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (answering.run, every(_PRUNE_EVERY_S, "dropping old answers of responders", answering.prune))
