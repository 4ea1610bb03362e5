"""OCPP 1.6: idTags as the domain sees them, and what is said of them."""

from typing import Final

from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, clean, reader

from chargebus_session import payload
from chargebus_session.payload import AnswerPayload
from chargebus_session.tokens.domain import Authorize, IdToken, Judgement, id_token

ID_TAG_LIMIT: Final = 20
"""Spec: OCPP 1.6 7.15, CiString20Type"""

_STATUSES: Final = {"Unknown": "Invalid"}


class _Authorize(Payload, frozen=True):
    id_tag: str


class IdTagInfo(AnswerPayload, frozen=True):
    """What a station is told of an idTag."""

    expiry_date: str | None = None
    parent_id_tag: str | None = None
    status: str = ""


class IdTagAnswer(AnswerPayload, frozen=True):
    """An answer that holds nothing else."""

    id_tag_info: IdTagInfo | None = None


_read_authorize = reader(_Authorize)


def authorize(frame: Frame) -> Authorize:
    """Read an Authorize request."""
    return Authorize(read_token(_read_authorize(frame.payload).id_tag), frame.received_at)


def authorized(_request: Authorize, judgement: Judgement) -> bytes:
    """Answer an Authorize request."""
    return payload.encode(IdTagAnswer(id_tag_info(judgement)))


def read_token(id_tag: str) -> IdToken:
    """Return an idTag as the domain sees it."""
    return id_token(clean(id_tag))


def id_tag_info(judgement: Judgement) -> IdTagInfo:
    """Return idTagInfo; a group that is too long for a parentIdTag is left out."""
    group_id = judgement.group_id if len(judgement.group_id) <= ID_TAG_LIMIT else ""
    return IdTagInfo(
        expiry_date=payload.timestamp(judgement.expires_at),
        parent_id_tag=group_id or None,
        status=_STATUSES.get(judgement.status, judgement.status),
    )
