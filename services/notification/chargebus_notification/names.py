"""The names under which this service speaks."""

from typing import Final

SERVICE: Final = "notification"
SOURCE: Final = f"/{SERVICE}"
