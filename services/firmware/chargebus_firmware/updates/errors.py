"""What firmware refuses to do about updates."""


class UpdateError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownUpdateError(UpdateError):
    """There is no such update."""


class UnknownTargetError(UpdateError):
    """There is no such station."""


class UnknownImageError(UpdateError):
    """There is no such image."""


class UnfitImageError(UpdateError):
    """The image is not for this station."""


class NotServedError(UpdateError):
    """Stations cannot fetch images in that way here."""


class TooFarAheadError(UpdateError):
    """It is to be fetched or installed further in the future than anybody plans."""


class BusyStationError(UpdateError):
    """The station has another update, or may be at work at one that was given up."""


class BegunError(UpdateError):
    """The station was asked already: OCPP has no message that takes it back."""
