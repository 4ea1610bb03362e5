"""The names under which this service speaks."""

from typing import Final

SERVICE: Final = "firmware"
SOURCE: Final = f"/{SERVICE}"
