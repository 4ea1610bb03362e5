"""What time does to images."""

from collections.abc import Sequence
from typing import Final

from chargebus_runtime.service import Hook
from chargebus_runtime.tasks import every

from chargebus_firmware.images.operations.contents import Contents
from chargebus_firmware.images.operations.uploads import Uploads

_UNFINISHED_EVERY_S: Final = 3600.0


def tasks(contents: Contents, uploads: Uploads, tidy_every_s: float) -> Sequence[Hook]:
    """Return what is to run for as long as the service does."""
    return (
        every(tidy_every_s, "finishing and giving up uploads", uploads.tidy),
        every(tidy_every_s, "taking away objects that nothing names", contents.take_leftovers_away),
        every(_UNFINISHED_EVERY_S, "taking away objects that were never written to their end", contents.tidy),
    )
