"""Secrets on their way from one service to another, or waiting in a database: sealed with keys that services share.

What is sealed stands in a context (whose it is, and what for) and is good until a moment: in another context, later, or
without its key it cannot be opened. AES-256-GCM; both are part of what it authenticates.
"""

import base64
import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
SETTING: Final = "SEALING_KEYS"

_NONCE_BYTES: Final = 12
_TO_STANDARD: Final = str.maketrans("-_", "+/")


class SealingError(Exception):
    """Something cannot be sealed or opened; the message says why, and holds nothing of it."""


class Sealing:
    """Seals with the first of the keys, opens with any: so keys are changed one by one.

    A new key is added at the end everywhere, then put first, and the old one taken out once nothing that it sealed is
    waited for.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._keys = {_name(key): AESGCM(key) for key in keys}

    @classmethod
    def of(cls, setting: str) -> "Sealing":
        """Return the sealing of a setting: keys of 32 bytes in base64, separated by commas; none if it is empty.

        Raises:
            ValueError: one of them is none; the message does not show it.
        """
        return cls([_key(number, text) for number, text in enumerate(setting.split(","), 1) if text.strip()])

    @property
    def has_keys(self) -> bool:
        """Whether anything can be sealed."""
        return bool(self._keys)

    def seal(self, plain: bytes, context: str, until: datetime) -> str:
        """Return what only `open` can read, in the same context, until a moment (to the second).

        Raises:
            SealingError: there is no key.
        """
        if not self._keys:
            raise SealingError(f"there is no key to seal a secret with: set {SETTING}")
        name, key = next(iter(self._keys.items()))
        head = f"{name}.{int(until.timestamp())}"
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + key.encrypt(nonce, plain, _bound(head, context))
        return f"{head}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, context: str, now: datetime) -> bytes:
        """Return what was sealed.

        Raises:
            SealingError: its key is not there, its time is over, or it was not sealed in this context.
        """
        head, _, body = sealed.rpartition(".")
        name, _, until = head.partition(".")
        key = self._keys.get(name)
        if key is None:
            raise SealingError(f"it was sealed with the key {name[:16]!r}, which is not in {SETTING}")
        try:
            raw = base64.urlsafe_b64decode(body)
            plain = key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(head, context))
        except (InvalidTag, ValueError) as error:  # binascii.Error is a ValueError
            raise SealingError("it was not sealed for this, or was changed") from error
        if now.timestamp() > int(until):
            raise SealingError("the time until which it was good is over")
        return plain


def generate_key() -> str:
    """Return a new key, as the setting has it."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _key(number: int, text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip().translate(_TO_STANDARD), validate=True)
    except ValueError:  # binascii.Error, or letters that base64 does not have
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"key {number} is not {KEY_BYTES} bytes in base64, such as `openssl rand -base64 32` makes")
    return key


def _name(key: bytes) -> str:
    """Return what a key is called in what it sealed."""
    return hashlib.sha256(b"name of a key\0" + key).hexdigest()[:8]


def _bound(head: str, context: str) -> bytes:
    return f"{head}\0{context}".encode()
