"""What is refused about images, as problems."""

import contextlib
from collections.abc import Iterator
from typing import Final

from chargebus_objects import NoRoomError, ObjectsAwayError, TooLargeError
from chargebus_runtime.http import FieldError, Problem

from chargebus_firmware.images.errors import (
    BrokenOffError,
    BusyUploadError,
    ChecksumError,
    HasContentError,
    UnfitContentError,
    UnfitImageError,
    UnknownImageError,
    UnknownUploadError,
    UsedImageError,
    WrongOffsetError,
)

TUS: Final = {"Tus-Resumable": "1.0.0"}

_PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    UnknownImageError: (404, "no such image"),
    UnknownUploadError: (404, "no such upload"),
    UsedImageError: (409, "in use"),
    HasContentError: (409, "it has its content"),
    BusyUploadError: (409, "busy"),
    WrongOffsetError: (409, "another offset"),
    UnfitContentError: (422, "not the content that was said"),
    ChecksumError: (460, "checksum mismatch"),
    BrokenOffError: (400, "it broke off"),
    TooLargeError: (413, "too large"),
}
_FULL: Final = "The disk that files are kept on is full; nothing of this is kept. Make room, or delete images and logs."
_AWAY: Final = (
    "The storage that files are kept in does not answer. Nothing that is kept is lost: try again in a moment, and go "
    "on with an upload at the offset that HEAD tells."
)


@contextlib.contextmanager
def problems() -> Iterator[None]:
    """Turn what is refused into problems."""
    try:
        yield
    except UnfitImageError as error:
        errors = [FieldError(f"body.{each.where}", each.what) for each in error.objections]
        raise Problem(422, "the image does not fit together", errors=errors) from error
    except NoRoomError as error:
        raise Problem(503, "no room", _FULL) from error
    except ObjectsAwayError as error:
        raise Problem(503, "not available", _AWAY) from error
    except tuple(_PROBLEMS) as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
