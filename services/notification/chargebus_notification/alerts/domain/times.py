"""Arithmetic on times that come from outside: a station's clock and a certificate may say any year."""

from datetime import datetime, timedelta


def shifted(at: datetime, by: timedelta) -> datetime:
    """Return the time that much later; before the first and after the last that there is, that one."""
    try:
        return at + by
    except OverflowError:
        return datetime.min.replace(tzinfo=at.tzinfo) if by < timedelta() else datetime.max.replace(tzinfo=at.tzinfo)
