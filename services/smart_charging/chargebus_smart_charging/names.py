"""The names under which this service speaks."""

from typing import Final

SERVICE: Final = "smart_charging"
FRAMES: Final = "smart-charging"
SOURCE: Final = f"/{FRAMES}"
