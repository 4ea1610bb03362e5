"""Owns tokens: who presents what, and whether it may charge."""

from datetime import datetime
from string import ascii_lowercase, ascii_uppercase
from typing import Final, Literal

import msgspec

Status = Literal["Accepted", "Blocked", "ConcurrentTx", "Expired", "Invalid", "Unknown"]
"""The words of OCPP 2.x; 1.6 says Invalid where 2.x says Unknown."""

NO_AUTHORIZATION: Final = "NoAuthorization"
KEY_CODE: Final = "KeyCode"

_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)

PRESENTED, RECOGNISED, NOBODY_SHOWN = range(3)
"""How a token came to be known: a driver showed it, the car or the station told it, there is none to show."""

_UNSHOWN: Final = {
    "MacAddress": RECOGNISED,
    "EVCCID": RECOGNISED,
    "VIN": RECOGNISED,
    "Local": RECOGNISED,
    NO_AUTHORIZATION: NOBODY_SHOWN,
}
"""The types that no driver shows; one does all others: ISO14443, ISO15693, KeyCode, eMAID, Central, DirectPayment, …

Spec: OCPP 2.0.1 IdTokenEnumType; OCPP 2.1 appendix, idToken types
"""


class IdToken(msgspec.Struct, frozen=True, gc=False):
    """What a driver presented; `type` is empty where the version has none.

    `key` is what tokens are compared by.
    """

    text: str
    type: str
    key: str

    @property
    def shown(self) -> int:
        """How it came to be known; of several that are accepted, the lowest pays."""
        return _UNSHOWN.get(self.type, PRESENTED)


def id_token(text: str, type_: str = "") -> IdToken:
    """Return a presented token.

    Spec: OCPP 1.6 7.15 (CiString, printable ASCII), OCPP 2.0.1 2.1 (identifierString): tokens are case-insensitive
    """
    return IdToken(text, type_, token_key(text))


def token_key(text: str) -> str:
    """Return what a token is stored and looked up under: without the case of A to Z, which are all that OCPP knows.

    No two letters become one, as they would by Unicode's folding (`ß` and `ss`): two cards never do.
    """
    return text.translate(_LOWER)


class Token(msgspec.Struct, frozen=True, gc=False):
    """A token that an operator registered; an empty `type` stands for any."""

    id_token: str
    type: str = ""
    group_id: str = ""
    blocked: bool = False
    expires_at: datetime | None = None
    concurrent: bool = True


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """Whether a presented token may charge; `billable` says that somebody can be billed for it."""

    status: Status
    billable: bool = False
    group_id: str = ""
    expires_at: datetime | None = None


NOBODY: Final = Judgement("Accepted")


def judge(presented: IdToken, token: Token | None, at: datetime) -> Judgement:
    """Decide about a presented token.

    Args:
        presented: what the station sent.
        token: what is registered under its key.
        at: when it was presented, as far as we know; the expiry is compared with it.

    Spec: OCPP 2.0.1 C02.FR.02 (no authorization needed), C04.FR.01 (a wrong key code is Invalid), C01.FR.07;
        OCPP 1.6 4.1
    """
    if presented.type == NO_AUTHORIZATION:
        return NOBODY
    if token is None or not _same_type(presented.type, token.type):
        return Judgement("Invalid" if presented.type == KEY_CODE else "Unknown")
    status = _status(token, at)
    return Judgement(status, status == "Accepted", token.group_id, token.expires_at)


def _status(token: Token, at: datetime) -> Status:
    if token.blocked:
        return "Blocked"
    if token.expires_at is not None and token.expires_at <= at:
        return "Expired"
    return "Accepted"


def _same_type(presented: str, registered: str) -> bool:
    # Otherwise a card's UID typed into a keypad would pass for the card.
    return not presented or not registered or presented.casefold() == registered.casefold()


class Authorize(msgspec.Struct, frozen=True):
    """A station asks whether a token may charge; `certified` says that it came with a contract certificate."""

    token: IdToken
    at: datetime
    certified: bool = False


UNVERIFIED: Final = Judgement("Invalid")


def authorize(request: Authorize, token: Token | None) -> Judgement:
    """Decide whether a token may charge; `token` is what is registered under its key.

    A contract certificate is not verified yet, so who presents one is refused.

    Spec: OCPP 1.6 4.1; OCPP 2.0.1 C01.FR.07, C07.FR.17 (a chain that cannot be verified)
    """
    return UNVERIFIED if request.certified else judge(request.token, token, request.at)
