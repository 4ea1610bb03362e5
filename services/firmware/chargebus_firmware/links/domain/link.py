"""A link: what one station may fetch or send, and until when."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

Transport: TypeAlias = Literal["http", "https", "ftp", "sftp"]
"""What carries the file of a link; `http` is HTTPS where nothing but that is served."""

PATH: Final = "/files/"

_ANY: Final = "any"
_LONGEST_NAME: Final = 100
_UNPLAIN: Final = re.compile(r"[^\w .()+=@-]+")


@dataclass(frozen=True)
class Link:
    """A link, as far as it is known: of its token only the hash.

    Attributes:
        token_hash: SHA-256 of the token.
        station_id: whose it is.
        purpose: a name from the table of purposes.
        target_id: of what is fetched, or of what waits for what is sent.
        name: of the file.
        ends_at: nothing begins from then on.
    """

    token_hash: bytes
    station_id: str
    purpose: str
    target_id: str
    name: str
    made_at: datetime
    ends_at: datetime

    def is_over(self, now: datetime) -> bool:
        """Tell whether nothing may begin by it any more."""
        return now >= self.ends_at


def token_hash(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def path(token: str, name: str) -> str:
    """Return the path of a link."""
    return f"{PATH}{token}/{quote(plain_name(name))}"


def login_url(scheme: Transport, address: str, token: str, name: str) -> str:
    """Return the URL of a link over a transport whose user is the token, and any password will do.

    It names the folder: stations add the name of their file to it, or are told the name.
    """
    return f"{scheme}://{token}:{_ANY}@{address}/{quote(plain_name(name)) if name else ''}"


def token_of(path: str) -> str | None:
    """Return the token of a path, which may go on as it likes: stations add names of their own."""
    if not path.startswith(PATH):
        return None
    return path.removeprefix(PATH).partition("/")[0] or None


def plain_name(name: str) -> str:
    """Return the name of a file without folders, and without what does not belong into one."""
    last = _UNPLAIN.sub("_", re.split(r"[/\\]", name)[-1]).strip(". ")
    return last[-_LONGEST_NAME:] or "file"
