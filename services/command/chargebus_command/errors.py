"""What the command service refuses to do."""


class CommandError(Exception):
    """What is asked for is refused; the message says why, in words for the caller."""


class KeyReusedError(CommandError):
    """The idempotency key was used for another command."""


class MisfitError(CommandError):
    """No version that the station may speak takes the action with this payload."""


class NotAllowedError(CommandError):
    """The caller's role is too small for this command."""


class OwnedError(CommandError):
    """Another service's route is for that."""


class QueueFullError(CommandError):
    """Too many commands wait for the station."""


class TwiceEndedError(CommandError):
    """A command was about to end a second time: the station's lock was not held."""


class UnknownCommandError(CommandError):
    """There is no such command."""


class UnknownStationError(CommandError):
    """There is no such station."""
