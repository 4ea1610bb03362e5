"""The names under which this service speaks."""

from typing import Final

SERVICE: Final = "session"
SOURCE: Final = f"/{SERVICE}"
