"""The places that keep objects: a folder, or S3-compatible storage."""

import contextlib
import os
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from chargebus_objects.errors import NoRoomError, ObjectsAwayError
from chargebus_objects.objects import Objects, Place
from chargebus_objects.settings import ObjectsSettings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_UNFINISHED: Final = re.compile(r".+#\d+")
"""What the library calls a file that it has not written to its end; no key has such a name."""
_CODE: Final = re.compile(r"os error (\d+)")
_FULL: Final = {27, 28, 122}  # EFBIG, ENOSPC, EDQUOT
_AWAY: Final = {5, 13, 30, 107, 110, 112, 113, 116}  # a disk or a network folder that has gone, or is read only
_NO_ROOM: Final = ("507 Insufficient Storage", "QuotaExceeded", "XMinioStorageFull")
_QUERY: Final = ("endpoint", "region")
_DEFAULT_REGION: Final = "us-east-1"
_CONNECT_WITHIN: Final = timedelta(seconds=5)
_ANSWER_WITHIN: Final = timedelta(seconds=60)  # for a part of 5 MiB on a slow line
_RETRIES: Final = 2


class UnusableUrlError(ValueError):
    """Objects cannot be kept there; the message says why."""


def objects_from(settings: ObjectsSettings) -> Objects:
    """Return the objects of the place that the settings name; a folder is made when the first object is written.

    Raises:
        UnusableUrlError: OBJECTS_URL names none.
    """
    parts = urlsplit(settings.url)
    match parts.scheme:
        case "" | "file" if not parts.netloc and not parts.query and parts.path.strip("/"):
            return Objects(_folder(Path(unquote(parts.path) if parts.scheme else settings.url).absolute()))
        case "s3" if parts.netloc:
            return Objects(_s3(parts.netloc, parts.path.strip("/"), _asked(parts.query), settings))
        case _:
            raise UnusableUrlError("OBJECTS_URL is a folder such as /var/lib/chargebus/objects, or s3://bucket/prefix")


def _asked(query: str) -> Mapping[str, str]:
    asked = dict(parse_qsl(query))
    if unknown := asked.keys() - set(_QUERY):
        raise UnusableUrlError(f"OBJECTS_URL takes {' and '.join(_QUERY)} after its '?', not {min(unknown)}")
    return asked


def _folder(root: Path) -> Place:
    def opened() -> LocalStore:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(root, automatic_cleanup=True)

    def settle(key: str) -> None:
        path = root / key
        for each in (path, path.parent):
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def tidy(older_s: float) -> None:
        until = time.time() - older_s
        for folder, _, names in os.walk(root, onerror=_unless_gone):
            for path in (Path(folder, name) for name in names if _UNFINISHED.fullmatch(name)):
                with contextlib.suppress(FileNotFoundError):
                    if path.is_file() and path.stat().st_mtime <= until:
                        path.unlink()

    return Place(opened, _folder_failure, settle, tidy)


def _unless_gone(error: OSError) -> None:
    """Pass over a folder that nobody may read, or that was taken away with its last file meanwhile."""
    if not isinstance(error, FileNotFoundError | PermissionError):
        raise error


def _folder_failure(error: Exception) -> Exception:
    code = _CODE.search(str(error))
    number = int(code[1]) if code else getattr(error, "errno", None)
    if number in _FULL:
        return NoRoomError("The disk that files are kept on is full.")
    return ObjectsAwayError("The folder that files are kept in does not answer.") if number in _AWAY else error


def _s3(bucket: str, prefix: str, asked: Mapping[str, str], settings: ObjectsSettings) -> Place:
    endpoint = asked.get("endpoint")
    client: ClientConfig = {
        "allow_http": endpoint is not None and endpoint.startswith("http://"),
        "connect_timeout": _CONNECT_WITHIN,
        "timeout": _ANSWER_WITHIN,
    }
    config: S3Config = {
        "region": asked.get("region", _DEFAULT_REGION),
        "virtual_hosted_style_request": endpoint is None,
    }
    if endpoint is not None:
        config["endpoint"] = endpoint
    if settings.access_key_id is not None:
        config["access_key_id"] = settings.access_key_id.get_secret_value()
    if settings.secret_access_key is not None:
        config["secret_access_key"] = settings.secret_access_key.get_secret_value()
    retries: RetryConfig = {"max_retries": _RETRIES, "retry_timeout": _ANSWER_WITHIN}
    store = S3Store(bucket, prefix=prefix or None, config=config, client_options=client, retry_config=retries)
    return Place(lambda: store, _s3_failure)


def _s3_failure(error: Exception) -> Exception:
    """Return what became of a call: whatever is not about one object is about the storage, or how to reach it."""
    if any(words in str(error) for words in _NO_ROOM):
        return NoRoomError("The storage that files are kept in is full.")
    return (
        ObjectsAwayError("The storage that files are kept in does not answer.")
        if isinstance(error, BaseError)
        else error
    )
