"""What a station says of a log, by itself."""

from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec

from chargebus_firmware.logs.domain.log import Kind, Log, is_of


class LogStatus(msgspec.Struct, frozen=True):
    """A status notification; without a request id it is of the newest log of these kinds that can be meant."""

    station_id: str
    status: str
    at: datetime
    request_id: int | None = None
    kinds: frozenset[Kind] = frozenset()
    detail: str = ""


def meant(status: LogStatus, logs: Iterable[Log]) -> Log | None:
    """Return the log that a status is of, None: of none that was asked for."""
    of_station = [log for log in logs if log.station_id == status.station_id]
    if status.request_id is not None:
        return next((log for log in of_station if log.log_id == status.request_id), None)
    possible = [log for log in of_station if log.wanted.kind in status.kinds and is_of(log, status.at)]
    return max(possible, key=lambda log: log.log_id, default=None)


def superseded_by(log: Log, logs: Collection[Log]) -> list[Log]:
    """Return the logs that a station gives up for a later one: those asked for before that it may be sending."""
    return [each for each in logs if each.station_id == log.station_id and each.log_id < log.log_id and each.is_open]
