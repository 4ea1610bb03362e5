"""What a station's opening request says: its identity, its credentials and the versions it offers. Pure.

Liberal where the meaning is clear: doubled slashes, a full URL as request target, headers that are empty or missing.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from chargebus_ocppj.versions import SUBPROTOCOLS, VERSIONS

PREFIX: Final = "ocpp"

# Spec: OCPP 2.0.1 and 2.1 Part 4, 3.1.1 (identifierString, 48 characters); OCPP-J 1.6 3.1.1
_IDENTITY = re.compile(r"[A-Za-z0-9*\-_=+|@.]{1,48}")

_NEWEST_FIRST: Final[Sequence[str]] = sorted(SUBPROTOCOLS, key=lambda name: -VERSIONS.index(SUBPROTOCOLS[name]))


def identity(target: str) -> str | None:
    """Return the station's identity from the request target `/ocpp/{station_id}`, or None if it has none.

    Spec: OCPP-J 1.6 3.1.1, OCPP 2.0.1 Part 4, 3.1.1 (percent-encoded as the last part of the path)
    """
    try:
        path = urlsplit(target if "://" in target else f"//station/{target}").path
    except ValueError:
        return None
    *before, last = [part for part in path.split("/") if part] or [""]
    if before != [PREFIX]:
        return None
    name = unquote(last)
    return name if _IDENTITY.fullmatch(name) else None


def basic(headers: Iterable[str]) -> tuple[str, bytes] | None:
    """Return user and password of an Authorization header, or None. The password is bytes: it need not be text.

    Spec: RFC 7617; OCPP 2.0.1 A00.FR.205; OCPP 1.6 security whitepaper, 3.4
    """
    for header in headers:
        scheme, _, encoded = header.strip().partition(" ")
        if scheme.lower() != "basic":
            continue
        try:
            decoded = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return None
        user, colon, password = decoded.partition(b":")
        return (user.decode("latin-1"), password) if colon else None
    return None


def is_user(user: str, station_id: str) -> bool:
    """Tell whether the Basic user is the station, written as in the URL or decoded.

    Spec: OCPP 2.0.1 A00.FR.204 (the username is the identity)
    """
    return station_id in (user, unquote(user))


def offered(headers: Iterable[str]) -> list[str]:
    """Return the subprotocols that the Sec-WebSocket-Protocol headers offer; empty ones count for nothing."""
    return [name.strip() for header in headers for name in header.split(",") if name.strip()]


def choose(offers: Sequence[str], versions: Sequence[str]) -> str | None:
    """Return the subprotocol of the newest version that is offered and allowed; no `versions` allow any.

    The order of the offers does not matter, so that a station gets the same one each time.
    """
    for subprotocol in _NEWEST_FIRST:
        if subprotocol in offers and (not versions or SUBPROTOCOLS[subprotocol] in versions):
            return subprotocol
    return None


def wants_websocket(upgrade: Iterable[str], connection: Iterable[str]) -> bool:
    """Tell whether a request means a WebSocket though it lacks `Connection: Upgrade`, as some stations have it."""
    named = [token.strip().lower() for header in connection for token in header.split(",")]
    return "upgrade" not in named and [value.strip().lower() for value in upgrade] == ["websocket"]
