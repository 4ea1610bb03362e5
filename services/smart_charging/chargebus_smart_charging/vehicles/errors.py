"""What is refused about vehicles."""


class VehicleError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownSessionError(VehicleError):
    """No session of that id is going on."""


class SaysNothingError(VehicleError):
    """What is said of a class of drivers says nothing."""


class UnknownClassError(VehicleError):
    """Nothing was said of the class of drivers."""


class PastDepartureError(VehicleError):
    """A vehicle is said to leave at a time that is over."""
