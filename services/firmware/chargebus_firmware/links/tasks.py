"""What time does to links."""

from collections.abc import Sequence

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_firmware.links.operations.links import Links


def tasks(links: Links, forget_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (every(forget_every_s, "forgetting links that ended long ago", links.forget),)
