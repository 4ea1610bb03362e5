"""Over what a station transfers a file, where nobody says it: what it knows of what is served here."""

from collections.abc import Collection
from typing import Final

from chargebus_firmware.links.domain.link import Transport

BETTER: Final[tuple[Transport, ...]] = ("https", "http", "sftp", "ftp")
"""What may be served, the better first."""


def chosen(protocols: Collection[str], offered: Collection[Transport], http: str) -> Transport:
    """Return the first of HTTPS, HTTP, SFTP and FTP that a station knows and that is served.

    Args:
        protocols: what the station knows, as OCPP calls them: FTP, FTPS, HTTP, HTTPS, SFTP; none: it does not say.
        offered: what is served beside `http`.
        http: `HTTP` or `HTTPS`, whichever `http` is.
    """
    words = {"http": http} | {each: each.upper() for each in offered}
    return next((each for each in BETTER if words.get(each) in protocols), "http")
