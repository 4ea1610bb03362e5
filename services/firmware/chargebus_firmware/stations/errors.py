"""What firmware refuses to do about stations."""


class StationError(Exception):
    """What is asked for is refused; the message says why."""


class UnknownStationError(StationError):
    """Nothing is known of the station, or it was removed."""

    def __init__(self, station_id: str) -> None:
        super().__init__(f"No station {station_id!r} is known here. Register it with POST /v1/stations first.")
