"""What time does with requests for certificates."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_security.signing.operations import Requests

_PRUNE_EVERY_S: Final = 600.0


def tasks(requests: Requests, sweep_s: float, renew_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        every(sweep_s, "signing certificates", requests.sign),
        every(sweep_s, "sending certificates", requests.send),
        every(renew_every_s, "renewing certificates", requests.renew),
        every(_PRUNE_EVERY_S, "pruning requests for certificates", requests.prune),
    )
