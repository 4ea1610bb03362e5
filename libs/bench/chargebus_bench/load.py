"""A closed load: so many callers at once, each with one call under way, for so many seconds."""

import asyncio
from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from time import perf_counter

from chargebus_bench import frames
from chargebus_bench.station import ConnectionLostError, Station

Script = Generator[bytes, bytes, None]
"""A round of calls on one station: yields frames, is sent their answers."""

_FINISH_WITHIN_S = 30.0
_AFTER_A_LOSS_S = 0.05
_ERRORS_KEPT = 5


@dataclass(frozen=True)
class Shape:
    """How a load looks: what each caller does on a station, how many there are, for how long they are measured."""

    script: Callable[[Station], Script]
    in_flight: int
    seconds: float
    warm_up_s: float = 0.5


@dataclass
class Measured:
    """What a load saw: the latencies in seconds of the calls answered while it was measured, and what went wrong.

    `answered` counts those before and after, too: all that the system had to work for.
    """

    seconds: float
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    answered: int = 0
    failures: int = 0
    errors: list[str] = field(default_factory=list)

    def count(self, latency_s: float) -> None:
        """Count an answer."""
        self.answered += 1
        self.latencies.append(latency_s)

    def fail(self, error: str) -> None:
        """Count a failure; the first few are kept in words."""
        self.failures += 1
        self.errors = [*self.errors, error][:_ERRORS_KEPT]

    def add(self, more: "Measured") -> None:
        """Add what was seen in another time."""
        self.seconds += more.seconds
        self.latencies.extend(more.latencies)
        self.answered += more.answered
        self.failures += more.failures
        self.errors = [*self.errors, *more.errors][:_ERRORS_KEPT]


@dataclass
class _Window:
    """The time in which answers count."""

    opens_at: float
    closes_at: float
    measured: Measured


class _Worker:
    """One of the callers: goes from station to station of its own, one script on each."""

    def __init__(self, shape: Shape, stations: Sequence[Station], window: _Window) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shape = shape
        self._stations: Iterator[Station] = cycle(stations)
        self._window = window
        self._station: Station = next(self._stations)
        self._script: Script = shape.script(self._station)
        self._sent_at = 0.0

    def begin(self) -> None:
        """Start the next round, unless time is up."""
        if perf_counter() >= self._window.closes_at:
            self.done.set_result(None)
            return
        self._station = next(self._stations)
        self._script = self._shape.script(self._station)
        try:
            self._send(next(self._script))
        except ConnectionLostError:
            self.lost()

    def answered(self, answer: bytes, at: float) -> None:
        """Count the answer and go on."""
        window = self._window
        if window.opens_at <= at < window.closes_at:
            window.measured.count(at - self._sent_at)
        else:
            window.measured.answered += 1
        if not answer.startswith(frames.CALL_RESULT):
            window.measured.fail(answer.decode(errors="replace"))
            self.begin()
            return
        try:
            self._send(self._script.send(answer))
        except StopIteration:
            self.begin()
        except frames.UnexpectedAnswerError as error:
            window.measured.fail(str(error))
            self.begin()
        except ConnectionLostError:
            self.lost()

    def lost(self) -> None:
        """Go on with another station, in a moment: the others may be on their way out too."""
        self._window.measured.fail(f"{self._station.station_id} lost its connection")
        asyncio.get_running_loop().call_later(_AFTER_A_LOSS_S, self.begin)

    def _send(self, frame: bytes) -> None:
        self._sent_at = perf_counter()
        self._station.send(frame, self)


async def drive(shape: Shape, stations: Sequence[Station]) -> Measured:
    """Put a load on connected stations, which its callers share out among themselves.

    Rounds under way when time is up are finished and not counted.

    Raises:
        TimeoutError: they were not finished in half a minute.
    """
    opens_at = perf_counter() + shape.warm_up_s
    measured = Measured(shape.seconds)
    window = _Window(opens_at, opens_at + shape.seconds, measured)
    workers = [_Worker(shape, stations[number :: shape.in_flight], window) for number in range(shape.in_flight)]
    for worker in workers:
        worker.begin()
    async with asyncio.timeout(shape.warm_up_s + shape.seconds + _FINISH_WITHIN_S):
        await asyncio.gather(*(worker.done for worker in workers))
    return measured
