"""Why stations are not registered; each text is for the caller."""


class RegistrationError(Exception):
    """What was asked for was not done."""


class TooManyStationsError(RegistrationError):
    """More stations than one call may register."""


class TooManyPasswordsError(RegistrationError):
    """More chosen passwords than one call may bring, as hashing them takes time."""


class TooManyChangesError(RegistrationError):
    """More new passwords than may wait for a station to use them."""


class OperatorChangeError(RegistrationError):
    """An operator's own change of the password is under way, beside which a service gives none."""


class NoChangeError(RegistrationError):
    """No change of a password is under way."""
