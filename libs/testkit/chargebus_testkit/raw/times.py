"""Times as stations write them, counted back from when the tests began: the same words are the same moment."""

from datetime import UTC, datetime, timedelta
from typing import Final

BEGAN: Final = datetime.now(UTC)


def ago(minutes: float) -> str:
    """Return the moment so many minutes before the tests began."""
    return written(BEGAN - timedelta(minutes=minutes))


def written(at: datetime) -> str:
    """Return a moment as a station writes it, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
