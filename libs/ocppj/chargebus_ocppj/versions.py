"""The OCPP versions that Chargebus speaks, and the WebSocket subprotocols that name them."""

from collections.abc import Mapping
from typing import Final, Literal

Version = Literal["1.6", "2.0.1", "2.1"]

VERSIONS: Final[tuple[Version, ...]] = ("1.6", "2.0.1", "2.1")

SUBPROTOCOLS: Final[Mapping[str, Version]] = {"ocpp1.6": "1.6", "ocpp2.0.1": "2.0.1", "ocpp2.1": "2.1"}
"""Sec-WebSocket-Protocol names. Spec: OCPP-J 1.6 3.1.2; OCPP 2.0.1 and 2.1 Part 4, 3.1.2"""

_BY_NAME: Final[Mapping[str, Version]] = {version: version for version in VERSIONS}


def as_version(name: str) -> Version:
    """Return the version of that name, as it stands in records and settings.

    Raises:
        ValueError: there is no such version.
    """
    version = _BY_NAME.get(name)
    if version is None:
        message = f"{name!r} is not an OCPP version; known are {', '.join(VERSIONS)}"
        raise ValueError(message)
    return version
