"""Why nothing is told of a station; each text is for the caller."""


class SteeringError(Exception):
    """What is asked for cannot be told."""


class UnheardStationError(SteeringError):
    """Nothing was ever heard of the station."""


class UnplacedEvseError(SteeringError):
    """The EVSE hangs under no site."""
