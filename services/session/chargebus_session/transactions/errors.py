"""Why a session cannot be ended, corrected or reopened; each text is for the caller."""


class DecisionError(Exception):
    """What was asked for cannot be done."""


class UnknownSessionError(DecisionError):
    """There is no such session."""


class EndedAlreadyError(DecisionError):
    """It is over already."""


class NotEndedError(DecisionError):
    """It goes on."""


class ImpossibleError(DecisionError):
    """The values cannot be true together."""


class UnknownTokenError(DecisionError):
    """Nobody can pay who is not registered."""
