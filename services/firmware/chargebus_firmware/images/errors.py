"""What images refuse."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Objection:
    """What is wrong with one field of what was given."""

    where: str
    what: str


class ImageError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownImageError(ImageError):
    """There is no such image."""


class UsedImageError(ImageError):
    """An image cannot be deleted, as it is in use."""


class HasContentError(ImageError):
    """An image has its content already, or it lies elsewhere."""


class UnfitImageError(ImageError):
    """What is said of an image cannot be, each with where."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("; ".join(f"{each.where}: {each.what}" for each in objections))
        self.objections = tuple(objections)


class UnfitContentError(ImageError):
    """The content is not what it is said to be; nothing of it is kept."""


class UnknownUploadError(ImageError):
    """There is no such upload."""


class BusyUploadError(ImageError):
    """Another call writes to the upload at this moment, or has taken it over."""


class WrongOffsetError(ImageError):
    """An upload does not go on from there."""


class ChecksumError(ImageError):
    """What came is not what was sent; nothing of it is kept."""


class BrokenOffError(ImageError):
    """What was sent ended before its end."""
