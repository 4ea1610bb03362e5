"""Which certificate authorities a download trusts: the system's, which know a company's proxy too."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SETTING = "REQUESTS_CA_BUNDLE"
_CHOSEN_BY_USER = (_SETTING, "CURL_CA_BUNDLE")


@contextmanager
def system_certificates() -> Iterator[None]:
    """Let `requests`, which jgo downloads with, trust the system's store instead of its own, for this while.

    It has no other way to be told than its environment variable. Where the user has set one, or the system has no
    store, nothing changes.
    """
    store = _store()
    if store is None or any(name in os.environ for name in _CHOSEN_BY_USER):
        yield
        return
    os.environ[_SETTING] = str(store)
    try:
        yield
    finally:
        del os.environ[_SETTING]


def _store() -> Path | None:
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return Path(paths.cafile)
    if paths.capath and any(Path(paths.capath).iterdir()):
        return Path(paths.capath)
    return None
