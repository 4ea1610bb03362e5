"""The names under which this service speaks."""

from typing import Final

SERVICE: Final = "security"
SOURCE: Final = f"/{SERVICE}"
