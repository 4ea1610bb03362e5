"""What is refused about logs."""


class LogError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownLogError(LogError):
    """No log of that id was asked for, or it is kept no longer."""


class EmptyIntervalError(LogError):
    """The oldest entry that is wanted is not before the latest."""


class NotOfferedError(LogError):
    """Files are not taken over the transport that is wanted."""


class LogEndedError(LogError):
    """There is nothing to give up: it has ended."""


class NoFileError(LogError):
    """There is no file: it has not come, or it is kept no longer."""


class RangeError(LogError):
    """The file has no bytes there; `size` is how many it has."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size} bytes; ask for some of these, such as bytes=0-1023.")
        self.size = size


class LookError(LogError):
    """The file cannot be looked into; the message says why."""


class UploadError(LogError):
    """An upload is not taken; `reason` is its word in the log's uploads."""

    reason = ""


class CancelledError(UploadError):
    """Nobody waits for the file any more."""

    reason = "cancelled"


class TakenAlreadyError(UploadError):
    """The file is there: the first stays."""

    reason = "taken_already"


class TooManyUploadsError(UploadError):
    """The station has tried too often."""

    reason = "too_many"


class TooLargeError(UploadError):
    """The file has more bytes than are taken."""

    reason = "too_large"


class TooSlowError(UploadError):
    """The upload took too long."""

    reason = "too_slow"


class BrokenOffError(UploadError):
    """The upload stopped half-way."""

    reason = "broke_off"


class DiskFullError(UploadError):
    """There is no room for the file."""

    reason = "disk_full"


class StoreAwayError(UploadError):
    """The store of files does not answer."""

    reason = "store_away"
