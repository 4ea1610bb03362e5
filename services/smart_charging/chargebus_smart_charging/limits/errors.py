"""What smart-charging refuses to do."""


class SmartChargingError(Exception):
    """What is asked for is refused; the message says why."""


class UnheardStationError(SmartChargingError):
    """Nothing was ever heard of the station."""
