"""The file with an administrator's key: made whole or not at all, for its owner alone."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Final

from chargebus_runtime.keys import split_key

from chargebus_access.errors import AdminFileError

log = logging.getLogger(__name__)

_OWNER_ONLY: Final = 0o600
_OTHERS: Final = 0o077


def read_or_make(path: Path, new_key: Callable[[], str]) -> tuple[str, str]:
    """Return the key id and the secret that the file holds; a missing file is made with a new key.

    Raises:
        AdminFileError: it holds no API key. OSError: it cannot be read or made.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        _make(path, new_key())
        text = path.read_text()
    if path.stat().st_mode & _OTHERS:
        log.warning("%s holds an admin key and others may read it: chmod 600 it", path)
    split = split_key(text.strip())
    if split is None:
        raise AdminFileError(f"{path} holds no API key; remove it, and a new admin key is made at the next start")
    return split


def _make(path: Path, key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "w") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another copy was first: its key counts
    finally:
        draft.unlink(missing_ok=True)
