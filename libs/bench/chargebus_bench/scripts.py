"""What stations do in each scenario: rounds of calls on one station."""

from collections.abc import Callable
from datetime import date
from itertools import count

from chargebus_bench import frames
from chargebus_bench.load import Script
from chargebus_bench.station import Station

ID_TAGS = tuple(f"BENCH{number:04d}" for number in range(200))
ENERGY_WH = 7400

_TAGS = tuple(tag.encode() for tag in ID_TAGS)
_DAY_MS = 24 * 3600 * 1000


class Scripts:
    """The rounds; every transaction is one of a kind, so that none passes for another that was sent again.

    Args:
        day: a day that is over or has begun; the transactions' times are in it.
    """

    def __init__(self, day: date) -> None:
        self._day = day.isoformat().encode()
        self._rounds = count()
        self._turns = count()
        self._mixed: tuple[Callable[[Station], Script], ...] = (
            *(self.heartbeat, self.meter_values, self.transaction, self.meter_values, self.status_notification),
            *(self.heartbeat, self.meter_values, self.transaction, self.meter_values, self.authorize),
        )

    def boot(self, station: Station) -> Script:
        """One BootNotification, which `device` decides."""
        yield frames.boot_notification(station.next_number())

    def heartbeat(self, station: Station) -> Script:
        """One Heartbeat, which the edge answers."""
        yield frames.heartbeat(station.next_number())

    def status_notification(self, station: Station) -> Script:
        """One StatusNotification, which the edge answers."""
        yield frames.status_notification(station.next_number())

    def meter_values(self, station: Station) -> Script:
        """One MeterValues outside transactions, which the edge answers."""
        number = next(self._rounds)
        yield frames.meter_values(station.next_number(), 0, number, self._moment(number))

    def authorize(self, station: Station) -> Script:
        """One Authorize, which `session` decides."""
        yield frames.authorize(station.next_number(), _tag(next(self._rounds)))

    def transaction(self, station: Station) -> Script:
        """Start, one reading, stop: `session` decides the first and the last."""
        number = next(self._rounds)
        meter_wh, at = number % 1_000_000_000, self._moment(number)
        answer = yield frames.start_transaction(station.next_number(), _tag(number), meter_wh, at)
        transaction_id = frames.issued_transaction(answer)
        yield frames.meter_values(station.next_number(), transaction_id, meter_wh + ENERGY_WH // 2, at)
        yield frames.stop_transaction(station.next_number(), transaction_id, meter_wh + ENERGY_WH, at)

    def mix(self, station: Station) -> Script:
        """One of: 20 % Heartbeat, 10 % StatusNotification, 40 % MeterValues, 10 % Authorize, 20 % transactions."""
        return self._mixed[next(self._turns) % len(self._mixed)](station)

    def _moment(self, number: int) -> bytes:
        seconds, ms = divmod(number % _DAY_MS, 1000)
        minutes, second = divmod(seconds, 60)
        return b"%bT%02d:%02d:%02d.%03dZ" % (self._day, *divmod(minutes, 60), second, ms)


def _tag(number: int) -> bytes:
    return _TAGS[number % len(_TAGS)]
