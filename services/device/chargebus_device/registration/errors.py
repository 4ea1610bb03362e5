"""Why stations are not registered; each text is for the caller."""


class RegistrationError(Exception):
    """What was asked for was not done."""


class TooManyStationsError(RegistrationError):
    """More stations than one call may register."""


class TooManyPasswordsError(RegistrationError):
    """More chosen passwords than one call may bring, as hashing them takes time."""
