"""What is refused about display messages."""


class DisplayError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownMessageError(DisplayError):
    """There is no such message."""


class KeyReusedError(DisplayError):
    """The idempotency key was used for another message."""


class ImpossibleMessageError(DisplayError):
    """The message contradicts itself."""
