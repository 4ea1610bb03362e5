"""What a station asks: the status of certificates that it names. Pure."""

from datetime import datetime
from typing import Literal

import msgspec

from chargebus_security.inventory.domain.hashes import HashData

Source = Literal["OCSP", "CRL"]
Status = Literal["Good", "Revoked", "Unknown", "Failed"]


class Question(msgspec.Struct, frozen=True):
    """One certificate, and where its status is to be asked; the URLs are tried one after the other."""

    named: HashData
    source: Source
    urls: tuple[str, ...]

    @property
    def key(self) -> str:
        """What is the same for every station that asks the same."""
        return " ".join((self.source, self.named.key, *sorted(self.urls)))


class Found(msgspec.Struct, frozen=True):
    """What came of a question.

    Attributes:
        status: what is so; Failed where nobody could say it.
        checked_at: when it was found.
        next_update: until when it may be relied on, and is not asked again.
        response: the signed answer of a responder (DER), which stations pass on; empty for lists.
        why: why it failed, in words.
    """

    status: Status
    checked_at: datetime
    next_update: datetime
    response: bytes = b""
    why: str = ""

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether it may be relied on."""
        return self.status != "Failed" and now < self.next_update
