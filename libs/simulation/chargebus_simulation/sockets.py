"""An EVSE of a simulated site as it is: who is there, what flows, and how far that could be lowered."""

from dataclasses import dataclass
from typing import Final

from chargebus_smart_charging.sites.domain.site import Evse

from chargebus_simulation.cars import Visit
from chargebus_simulation.stations import NEVER, SimStation

SLACK_A: Final = 0.05
"""What is over a limit by less is a matter of rounding."""

_LEAST_A: Final = 6.0


@dataclass(slots=True)
class Socket:
    """An EVSE as it is: who is there, and what flows. `applied_a` is what the hardware lets flow at present."""

    evse: Evse
    station: SimStation
    phases: tuple[int, ...]
    applied_a: float
    visit: Visit | None = None
    session: int = 0
    first_session: int = 0
    held_wh: float = 0.0
    energy_wh: float = 0.0
    draws_a: float = 0.0
    wakes_at_s: float = 0.0
    stopped: bool = False

    @property
    def used(self) -> tuple[int, ...]:
        """The site's phases, from 0, that the vehicle draws on."""
        return () if self.visit is None else self.phases[: self.visit.car.phases]

    def draw(self, now_s: float) -> bool:
        """Let flow what the vehicle takes; says whether that is something else than before."""
        before_a = self.draws_a
        if self.visit is None or self.stopped:
            self.draws_a = 0.0
            return before_a > 0.0
        takes = self.visit.car.takes_a(self.held_wh, self.applied_a)
        if takes and not before_a and now_s < self.wakes_at_s:
            takes = 0.0
        self.draws_a = takes
        return takes != before_a

    @property
    def least_a(self) -> float:
        """The least at which its vehicle draws anything."""
        wants_a = 0.0 if self.visit is None else self.visit.car.min_a
        return max(_LEAST_A, wants_a, self.evse.min_a or 0.0)

    def falls_to_a(self, now_s: float) -> float:
        """Return how far a CSMS could lower what is drawn if it asked the station now; `NEVER` where it cannot."""
        temper = self.station.temper
        if temper.ignores or temper.is_away(now_s) or temper.is_mute(now_s) or not self.station.takes_some:
            return NEVER
        return 0.0 if temper.takes_zero else _LEAST_A

    def could_be_lowered(self, now_s: float) -> bool:
        """Tell whether a CSMS could let its vehicle draw less, and would if it asked the station now."""
        return self.draws_a > self.falls_to_a(now_s) + SLACK_A

    def hidden_a(self, now_s: float) -> float:
        """Return by how much more it draws than its station holds where nobody can know.

        The vehicle has come while the station was away, at which nobody had charged before.
        """
        if self.visit is None or self.session != self.first_session:
            return 0.0
        if self.visit.arrives_s < self.station.temper.away_since(now_s):
            return 0.0
        return max(0.0, self.draws_a - self.station.says_a(self.evse.evse_id, now_s))
