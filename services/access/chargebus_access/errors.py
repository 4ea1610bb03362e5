"""What the access service refuses to do."""


class AccessError(Exception):
    """What is asked for is refused; the message says why."""


class AdminFileError(AccessError):
    """The file does not hold an API key."""


class ExpiredAlreadyError(AccessError):
    """A key that nobody could use is wanted."""


class KeyIdTakenError(AccessError):
    """By chance the new key's id is another key's; trying again helps."""


class LastAdminError(AccessError):
    """Nobody could manage API keys any more."""


class UnknownKeyError(AccessError):
    """There is no such API key."""
