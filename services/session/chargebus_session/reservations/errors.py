"""Why nothing is reserved, or cancelled; each text is for the caller."""


class ReservationError(Exception):
    """What was asked for cannot be done."""


class UnknownStationError(ReservationError):
    """There is no such station."""


class NoSuchPlaceError(ReservationError):
    """The station has no such EVSE, or no such connector."""


class ReservedError(ReservationError):
    """Another reservation is in its way."""


class UnknownTokenError(ReservationError):
    """There is no such token, or none of the group."""


class TokenRefusedError(ReservationError):
    """The token may not charge."""


class OverError(ReservationError):
    """The time until which it should hold has passed."""


class UnknownReservationError(ReservationError):
    """There is no such reservation."""


class EndedError(ReservationError):
    """The reservation has ended already."""
