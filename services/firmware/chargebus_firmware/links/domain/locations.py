"""Where files lie that somebody else serves: the URLs to which stations are sent."""

from typing import Final
from urllib.parse import urlsplit

SCHEMES: Final = ("https", "http", "ftp", "ftps", "sftp")
MOST_CHARACTERS: Final = 512
"""The longest location that stations of OCPP 2.0.1 take."""


def objection(url: str) -> str:
    """Return why stations cannot be sent to a URL; empty: they can."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"no URL: {error}"
    if parts.scheme not in SCHEMES:
        return f"stations fetch from {', '.join(SCHEMES)}, not from {parts.scheme or 'no scheme'!r}"
    return "" if host else "it names no host"
