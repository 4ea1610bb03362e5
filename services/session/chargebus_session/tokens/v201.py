"""OCPP 2.0.1: idTokens as the domain sees them, and what is said of them; 2.1 is read the same way."""

from typing import Final

import msgspec
from chargebus_events.frames import ContractCheck, Frame
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_session import payload
from chargebus_session.payload import AnswerPayload
from chargebus_session.tokens.domain import Authorize, IdToken, Judgement, id_token

CENTRAL: Final = "Central"
ID_TOKEN_LIMIT: Final = 36


class IdTokenType(Payload, frozen=True):
    """A token as stations write it."""

    id_token: str
    type: str


class _Authorize(Payload, frozen=True):
    id_token: IdTokenType
    certificate: str = ""
    iso15118_certificate_hash_data: msgspec.Raw = msgspec.Raw()


class _GroupIdToken(AnswerPayload, frozen=True):
    id_token: str
    type: str


class IdTokenInfo(AnswerPayload, frozen=True):
    """What a station is told of a token."""

    status: str
    cache_expiry_date_time: str | None = None
    group_id_token: _GroupIdToken | None = None


class _Authorized(AnswerPayload, frozen=True):
    id_token_info: IdTokenInfo
    certificate_status: str | None = None


_read_authorize = reader(_Authorize)
_read_check = reader(ContractCheck)


def authorize(frame: Frame) -> Authorize:
    """Read an Authorize request."""
    request = _read_authorize(frame.payload)
    certified = bool(request.certificate or bytes(request.iso15118_certificate_hash_data))
    contract = _read_check(frame.contract) if frame.contract else None
    return Authorize(read_token(request.id_token), frame.received_at, certified, contract)


def authorized(_request: Authorize, judgement: Judgement) -> bytes:
    """Answer an Authorize request.

    Spec: OCPP 2.0.1 C01.FR.06, C01.FR.07, C07.FR.04
    """
    return payload.encode(_Authorized(id_token_info(judgement), judgement.certificate_status or None))


def read_token(token: IdTokenType) -> IdToken:
    """Return a token as the domain sees it."""
    return id_token(clean(token.id_token), clean(token.type))


def id_token_info(judgement: Judgement) -> IdTokenInfo:
    """Return what a station is told of a judged token."""
    group = _GroupIdToken(judgement.group_id, CENTRAL) if judgement.group_id else None
    return IdTokenInfo(judgement.status, payload.timestamp(judgement.expires_at), group)
