"""An upload that may be interrupted: it goes on where it was, by one call at a time.

Spec: tus 1.0.0 (core, creation, checksum, expiration, termination)
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

ALGORITHMS: Final = ("md5", "sha1", "sha256")

UploadState = Literal["open", "done", "refused"]


@dataclass(frozen=True)
class Upload:
    """An upload of an image's content.

    Attributes:
        size: of the whole, in bytes.
        received: how much of it is kept.
        expires_at: it is given up then, unless it goes on.
        busy_by, busy_until: which call writes to it, until when it does at most without saying so again.
        state: `done` once the image has its content, `refused` with a reason where that was not what it should be.
    """

    upload_id: str
    image_id: str
    size: int
    made_at: datetime
    expires_at: datetime
    received: int = 0
    busy_by: str | None = None
    busy_until: datetime | None = None
    state: UploadState = "open"
    reason: str | None = None

    def is_busy(self, now: datetime) -> bool:
        """Tell whether a call writes to it."""
        return self.busy_until is not None and now < self.busy_until


@dataclass(frozen=True)
class Piece:
    """A piece of an upload, kept as an object."""

    upload_id: str
    start: int
    size: int
    object_key: str


@dataclass(frozen=True)
class Checksum:
    """What the hash of a call's bytes has to be."""

    algorithm: str
    digest: bytes

    @classmethod
    def of(cls, header: str) -> "Checksum":
        """Return the checksum of an `Upload-Checksum` header: an algorithm and a hash in base64.

        Raises:
            ValueError: it is none.
        """
        algorithm, _, encoded = header.strip().partition(" ")
        if algorithm not in ALGORITHMS:
            raise ValueError(f"takes one of {', '.join(ALGORITHMS)}")
        try:
            return cls(algorithm, base64.b64decode(encoded, validate=True))
        except binascii.Error:
            raise ValueError("takes the hash in base64") from None

    def begin(self) -> Any:  # noqa: ANN401 - hashlib names no type
        """Return a hash of nothing yet."""
        return hashlib.new(self.algorithm, usedforsecurity=False)
