"""What security refuses to do about requests for certificates."""


class SigningError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownRequestError(SigningError):
    """There is no such request."""


class UnknownTargetError(SigningError):
    """There is no such station."""


class UnsuitedError(SigningError):
    """The station's version of OCPP does not know such certificates."""
