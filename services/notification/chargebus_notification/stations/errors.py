"""What is refused about stations."""


class StationError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownStationError(StationError):
    """Nothing was ever told of the station."""
