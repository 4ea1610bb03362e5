"""An EVSE of a simulated site as it is: who is there, what flows, and how far that could be lowered."""

from dataclasses import dataclass
from typing import Final

from chargebus_smart_charging.sites.domain.site import Evse

from chargebus_simulation.cars import Visit
from chargebus_simulation.stations import NEVER, SimStation

SLACK_A: Final = 0.05
"""What is over a limit by less is a matter of rounding."""

_LEAST_A: Final = 6.0

_SHOWS_S: Final = 120.0
"""So long something is drawn until readings show it: a station's time to obey, and from one reading to the next."""


@dataclass(slots=True)
class Socket:
    """An EVSE as it is: who is there, and what flows.

    Attributes:
        applied_a: what the hardware lets flow at present.
        beyond_since_s: since when it draws more than its station holds, which is online; `NEVER`: it does not.
        shown: whether it has done so for long enough to be found out.
    """

    evse: Evse
    station: SimStation
    phases: tuple[int, ...]
    applied_a: float
    visit: Visit | None = None
    session: int = 0
    held_wh: float = 0.0
    energy_wh: float = 0.0
    draws_a: float = 0.0
    wakes_at_s: float = 0.0
    stopped: bool = False
    beyond_since_s: float = NEVER
    shown: bool = False

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
        """Return by how much more it draws than its station holds where nobody can know: it never did so online."""
        beyond_a = max(0.0, self.draws_a - self.station.says_a(self.evse.evse_id, now_s))
        self.shown = self.shown or now_s - self.beyond_since_s > _SHOWS_S
        if not self.station.temper.is_away(now_s):
            self.beyond_since_s = min(self.beyond_since_s, now_s) if beyond_a > SLACK_A else NEVER
            return 0.0
        self.beyond_since_s = NEVER
        return 0.0 if self.shown else beyond_a
