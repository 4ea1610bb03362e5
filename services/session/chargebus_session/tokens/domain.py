"""Owns tokens: who presents what, and whether it may charge."""

from collections.abc import Mapping
from datetime import datetime
from string import ascii_lowercase, ascii_uppercase
from typing import Final, Literal

import msgspec
from chargebus_events.frames import ContractCheck
from chargebus_ocppj.emaids import contract_of, spellings

Status = Literal["Accepted", "Blocked", "ConcurrentTx", "Expired", "Invalid", "Unknown"]
"""The words of OCPP 2.x; 1.6 says Invalid where 2.x says Unknown."""

NO_AUTHORIZATION: Final = "NoAuthorization"
KEY_CODE: Final = "KeyCode"
EMAID: Final = "emaid"
"""In lower case: stations write it in several ways."""

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

    `key` is what tokens are compared by: of an eMAID its contract, however it is written.
    """

    text: str
    type: str
    key: str

    @property
    def shown(self) -> int:
        """How it came to be known; of several that are accepted, the lowest pays."""
        return _UNSHOWN.get(self.type, PRESENTED)

    @property
    def is_contract(self) -> bool:
        """Whether it is an eMAID, which stands for a contract; OCPP 1.6 does not tell."""
        return _is_contract(self.type)

    @property
    def used_keys(self) -> list[str]:
        """What its sessions may be kept under: OCPP 1.6 does not tell that it is an eMAID."""
        return [self.key] if self.type else [self.key, token_key(contract_of(self.text))]

    @property
    def keys(self) -> list[str]:
        """What it may be registered under: one contract's eMAID is written in several ways, first that presented."""
        if not _is_contract(self.type):
            return [token_key(self.text)]
        return [token_key(each) for each in spellings(self.text)]


def id_token(text: str, type_: str = "") -> IdToken:
    """Return a presented token.

    Spec: OCPP 1.6 7.15 (CiString, printable ASCII), OCPP 2.0.1 2.1 (identifierString): tokens are case-insensitive
    """
    return IdToken(text, type_, token_key(contract_of(text) if _is_contract(type_) else text))


def keys_meant(text: str) -> list[str]:
    """Return the keys of the tokens that an operator may mean who says no type: the text's own first."""
    return list(dict.fromkeys((token_key(text), *id_token(text, EMAID).keys)))


def meant(text: str, tokens: Mapping[str, "Token"]) -> "Token | None":
    """Return which registered token an operator means, among tokens by key: an eMAID in whatever spelling."""
    exact = tokens.get(token_key(text))
    if exact is not None and not _is_contract(exact.type):
        return exact
    contract = registered(id_token(text, EMAID), tokens)
    return contract if contract is not None and _is_contract(contract.type) else exact


def _is_contract(type_: str) -> bool:
    return type_.casefold() == EMAID


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

    @property
    def itself(self) -> IdToken:
        """The token as whoever presents it shows it."""
        return id_token(self.id_token, self.type)


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """Whether a presented token may charge; `billable` says that somebody can be billed for it.

    `certificate_status` tells of the contract certificate that came along, in OCPP's words.
    """

    status: Status
    billable: bool = False
    group_id: str = ""
    expires_at: datetime | None = None
    certificate_status: str = ""


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
    """A station asks whether a token may charge.

    Attributes:
        certified: it came with a contract certificate.
        contract: what was found of that; None while nobody has looked.
    """

    token: IdToken
    at: datetime
    certified: bool = False
    contract: ContractCheck | None = None

    @property
    def is_unchecked(self) -> bool:
        """Whether nothing can be said before its contract certificate was looked at, or that it shows none."""
        return self.contract is None and (self.certified or self.token.is_contract)


class ContractVerdict(msgspec.Struct, frozen=True, gc=False):
    """What a station was told of a contract's certificate, and when that was shown there."""

    station_id: str
    token_key: str
    status: Status
    shown_at: datetime


_NOT_ACCEPTED: Final = ("Blocked", "Expired", "Invalid", "Unknown")
_OF_CERTIFICATES: Final[dict[str, Status]] = {"CertificateExpired": "Expired"}


def authorize(request: Authorize, token: Token | None) -> Judgement:
    """Decide whether a token may charge; `token` is what is registered for it.

    A contract certificate that is worth nothing is decisive; of one that is in order the token decides: where it is not
    accepted the contract is told to be over.

    Spec: OCPP 1.6 4.1; OCPP 2.0.1 C01.FR.07, C07.FR.13 (cancelled), FR.14 (accepted), FR.15 (expired), FR.16 (revoked),
        FR.17 (cannot be verified)
    """
    judgement = judge(request.token, token, request.at)
    if request.contract is None:
        return judgement
    status = request.contract.status
    if status != "Accepted":
        return Judgement(_OF_CERTIFICATES.get(status, "Invalid"), certificate_status=status)
    is_over = judgement.status in _NOT_ACCEPTED
    return msgspec.structs.replace(judgement, certificate_status="ContractCancelled" if is_over else "Accepted")


def verdict_of(request: Authorize, token: Token, judgement: Judgement, station_id: str) -> ContractVerdict | None:
    """Return what has to be remembered of an Authorize for the transactions that follow; None: nothing.

    What the token says by itself is judged anew at each transaction.
    """
    if request.contract is None:
        return None
    status: Status = "Accepted" if request.contract.status == "Accepted" else judgement.status
    return ContractVerdict(station_id, token.itself.key, status, request.at)


def registered(token: IdToken, tokens: Mapping[str, Token]) -> Token | None:
    """Return what is registered for a presented token, among tokens by key.

    Where a contract is registered in several spellings, a block of one is a block of all.
    """
    found = [tokens[key] for key in token.keys if key in tokens]
    fitting = [each for each in found if _same_type(token.type, each.type)] or found
    return next((each for each in fitting if each.blocked), fitting[0] if fitting else None)
