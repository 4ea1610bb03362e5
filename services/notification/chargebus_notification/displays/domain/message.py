"""A message as it is wanted, for whom, and as a station reports one."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

Priority = Literal["AlwaysFront", "InFront", "NormalCycle"]
State = Literal["Charging", "Faulted", "Idle", "Unavailable", "Suspended", "Discharging"]
Format = Literal["ASCII", "HTML", "URI", "UTF8", "QRCODE"]


class Text(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a driver reads, in one language (RFC 5646; empty: not said); of `QRCODE` what the code holds."""

    format: str
    content: str
    language: str = ""


class Face(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a station is told to show; the first text is the message, further ones say it in other languages.

    `state`: only while the station or EVSE is in it; empty: always. `transaction_id`: only during that transaction.
    """

    priority: str
    texts: tuple[Text, ...]
    state: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    transaction_id: str = ""

    @property
    def fingerprint(self) -> str:
        """What tells it apart from a changed one."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:32]


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """For which stations a message is: by their ids, or those that have all of these labels."""

    station_ids: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}


class Message(msgspec.Struct, frozen=True):
    """A message that is wanted; `removed_at`: it is wanted no more."""

    message_id: str
    target: Target
    face: Face
    created_at: datetime
    changed_at: datetime
    removed_at: datetime | None = None


def difference(wanted: Face, reported: Face) -> tuple[str, ...]:
    """Return in what a reported message is not the wanted one.

    What is not said when a message is set is for the station to fill in; it may write languages and times in its way.
    """
    pairs = {
        "priority": (wanted.priority, reported.priority),
        "state": (wanted.state, reported.state),
        "starts_at": (_second(wanted.starts_at), _second(reported.starts_at)),
        "ends_at": (_second(wanted.ends_at), _second(reported.ends_at)),
        "transaction_id": (wanted.transaction_id, reported.transaction_id),
    }
    unlike = [name for name, (ours, theirs) in pairs.items() if ours and ours != theirs]
    return (*unlike, *(["texts"] if not _same_texts(wanted.texts, reported.texts) else ()))


def _same_texts(wanted: tuple[Text, ...], reported: tuple[Text, ...]) -> bool:
    if len(wanted) != len(reported) or not reported:
        return False
    first, *others = map(_said, wanted)
    its_first, *its_others = map(_said, reported)
    return first == its_first and sorted(others) == sorted(its_others)


def _said(text: Text) -> tuple[str, str]:
    return text.format, text.content


def _second(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
