"""What a station's opening request says: its identity, its credentials and the versions it offers. Pure.

Liberal where the meaning is clear: doubled slashes, a full URL as request target, headers that are empty or missing,
Base64 without padding, a subprotocol that is written otherwise. `docs/stations.md` lists all of it, with the reasons.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from chargebus_ocppj import identities
from chargebus_ocppj.versions import SUBPROTOCOLS, VERSIONS, Version

PREFIX: Final = "ocpp"

_NEWEST_FIRST: Final[Sequence[str]] = sorted(SUBPROTOCOLS, key=lambda name: -VERSIONS.index(SUBPROTOCOLS[name]))

_FROM_URL_SAFE: Final = str.maketrans("-_", "+/")

# "OCPP1.6", "ocpp1.6J", "ocpp-2.0.1", "ocpp16", "1.6": the digits are the version, whatever is around them.
_DIGITS: Final = "([0-9](?:[._]?[0-9]){0,2})"
_NEAR: Final = re.compile(rf"[\"']?(?:ocpp[-_ /v]*{_DIGITS}?|{_DIGITS})[-_ ./]*(?:j|json|ws)?[\"']?", re.IGNORECASE)
_BY_DIGITS: Final[Mapping[str, Version]] = {version.replace(".", ""): version for version in VERSIONS}


WITHDRAWN: Final = "2.0"
"""A version of April 2018 that was withdrawn for 2.0.1; stations of that time offer it."""

_OFFERS_SHOWN: Final = 40


class Unspoken(NamedTuple):
    """Why nothing is spoken with a station, and what to do about it; `version` is the withdrawn one if it is that."""

    version: str
    reason: str


class Speech(NamedTuple):
    """What is spoken on a connection: a version, under the name that the station offered, empty if it offered none."""

    version: Version
    subprotocol: str


def identity(target: str) -> str | None:
    """Return the station's identity from the request target `/ocpp/{station_id}`, or None if it has none.

    The prefix may be missing: a path of one part can mean nothing else.
    Spec: OCPP-J 1.6 3.1.1, OCPP 2.0.1 Part 4, 3.1.1 (percent-encoded as the last part of the path)
    """
    try:
        path = urlsplit(target if "://" in target else f"//station/{target}").path
    except ValueError:
        return None
    parts = [part for part in path.split("/") if part]
    if parts and parts[0].lower() == PREFIX:
        del parts[0]
    elif parts and parts[0].startswith(PREFIX):
        return None  # the slash is missing: where the identity begins is a guess
    return identities.canonical(_text(unquote_to_bytes(parts[0]))) if len(parts) == 1 else None


def basic(headers: Iterable[str]) -> bytes | None:
    """Return what a Basic Authorization header holds, `user:password`, or None. It need not be text.

    Spec: RFC 7617; OCPP 2.0.1 A00.FR.205; OCPP 1.6 security whitepaper, 3.4
    """
    for header in headers:
        scheme, *encoded = header.split(None, 1) or [""]
        if scheme.lower() == "basic":
            credentials = _base64("".join(encoded))
            return credentials if credentials is not None and b":" in credentials else None
    return None


def password(credentials: bytes, station_id: str) -> bytes | None:
    """Return the password of `user:password` if the user is the station, else None.

    The identity may have colons in it, and so may the password; which one parts them follows from the identity.
    """
    end = -1
    for _ in range(station_id.count(":") + 1):
        end = credentials.find(b":", end + 1)
        if end < 0:
            return None
        if _is_user(credentials[:end], station_id):
            return credentials[end + 1 :]
    return None


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


def guess(offers: Sequence[str], versions: Sequence[str]) -> Speech | None:
    """Return what a station means that offers no subprotocol of OCPP, as far as its registration tells.

    A name that is written otherwise stands for its version where that is allowed. One without a version, and none at
    all, stand for the version that the station is registered for, if it is one. The client is answered with its own
    words: it takes no others.
    Spec: RFC 6455 4.1 (the subprotocol is one of those that were offered); a deviation from OCPP-J 1.6 3.2 and OCPP
    2.0.1 Part 4, 3.1.2, see docs/decisions/0024-near-misses-at-the-door.md
    """
    allowed = [version for version in reversed(VERSIONS) if not versions or version in versions]
    only = allowed[0] if len(allowed) == 1 else None
    if not offers:
        return None if only is None else Speech(only, "")
    meant = {offer: _version_in(match) for offer in offers if (match := _NEAR.fullmatch(offer)) is not None}
    for version in allowed:
        for offer, named in meant.items():
            if named == version or (named == "" and version == only):
                return Speech(version, offer)
    return None


def unspoken(offers: Sequence[str], versions: Sequence[str]) -> Unspoken:
    """Say why there is no subprotocol in common, to whoever can change it.

    Args:
        offers: the subprotocols that the station offers.
        versions: those that its registration allows; none: any.
    """
    near = [match for offer in offers if (match := _NEAR.fullmatch(offer)) is not None]
    named = {re.sub("[._]", "", match[1] or match[2] or "") for match in near}
    allowed = [version for version in VERSIONS if not versions or version in versions]
    spoken = sorted({_BY_DIGITS[digits] for digits in named if digits in _BY_DIGITS})
    if spoken and not set(spoken) & set(allowed):
        offered, allows = ", ".join(spoken), ", ".join(allowed)
        return Unspoken("", f"it offers OCPP {offered}, and its registration allows {allows}: change one of them")
    wanted = ", ".join(name for name, version in SUBPROTOCOLS.items() if version in allowed)
    if WITHDRAWN.replace(".", "") in named:
        return Unspoken(
            WITHDRAWN, f"it offers OCPP 2.0, which was withdrawn: update its firmware, or have it offer {wanted}"
        )
    if not offers:
        return Unspoken("", f"it offers no subprotocol: have it offer one of {wanted}")
    shown = ", ".join(offers)[:_OFFERS_SHOWN]
    return Unspoken("", f"it offers {shown!r}, and nothing that is spoken here: have it offer one of {wanted}")


def _version_in(name: re.Match[str]) -> str | None:
    """Return the version that a near miss names, an empty text if it names none, None if it is none of ours."""
    digits = re.sub("[._]", "", name[1] or name[2] or "")
    return _BY_DIGITS.get(digits) if digits else ""


def wants_websocket(upgrade: Iterable[str], connection: Iterable[str]) -> bool:
    """Tell whether a request means a WebSocket though it lacks `Connection: Upgrade`, as some stations have it."""
    named = [token.strip().lower() for header in connection for token in header.split(",")]
    return "upgrade" not in named and [value.strip().lower() for value in upgrade] == ["websocket"]


def _is_user(user: bytes, station_id: str) -> bool:
    """Tell whether the Basic user is the station: written as in the URL or decoded, in whatever case.

    The identity of the URL is what counts, and its password what proves it: this finds slips of configuration.
    Spec: OCPP 2.0.1 A00.FR.204 (the username is the identity)
    """
    meant = station_id.casefold()
    return any((identities.canonical(_text(form)) or "").casefold() == meant for form in (user, unquote_to_bytes(user)))


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _base64(encoded: str) -> bytes | None:
    digits = "".join(encoded.split()).rstrip("=").translate(_FROM_URL_SAFE)
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
