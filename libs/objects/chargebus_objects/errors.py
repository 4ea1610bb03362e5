"""What may go wrong with an object, told apart by who can do something about it."""


class ObjectsError(Exception):
    """An object cannot be written or read."""


class NoSuchObjectError(ObjectsError):
    """There is no object of this key."""


class TooLargeError(ObjectsError):
    """It has more bytes than it may have; nothing of it is kept."""


class NoRoomError(ObjectsError):
    """The disk is full, or a quota used up; nothing of it is kept. Somebody has to make room."""


class ObjectsAwayError(ObjectsError, ConnectionError):
    """The storage does not answer, or lets nobody in: waiting helps. `chargebus_runtime.away.is_away` says so too."""
