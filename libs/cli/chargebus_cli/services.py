"""Which services are installed here, found by entry point: an image that holds one service offers just that one."""

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from chargebus_events.services import underscored

from chargebus_cli.errors import CommandError

if TYPE_CHECKING:
    from chargebus_runtime.process import Build

GROUP = "chargebus.services"


def installed() -> dict[str, EntryPoint]:
    """Return the installed services by name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def builds(names: list[str]) -> "list[Build]":
    """Return how the named services are built, in either form of their names; all installed ones without a name.

    Raises:
        CommandError: a name is no installed service.
    """
    here = installed()
    unknown = sorted({name for name in names if underscored(name) not in here})
    if unknown:
        message = f"no such service here: {', '.join(unknown)} (installed: {', '.join(here) or 'none'})"
        raise CommandError(message)
    return [here[underscored(name)].load() for name in (names or here)]
