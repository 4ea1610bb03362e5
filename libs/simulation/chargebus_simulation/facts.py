"""What a site tells its CSMS, and what that asks of stations; times are seconds from when the simulation begins."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from chargebus_smart_charging.sites.domain.site import EvseKey, PerPhase

from chargebus_simulation.cars import Visit
from chargebus_simulation.stations import NEVER, Outcome, Profile, Slot

NOTHING: Final = Profile(())


@dataclass(frozen=True, slots=True)
class Connected:
    """A station is there, after a boot or after it was away."""

    station_id: str
    booted: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """A station's connection has ended."""

    station_id: str


@dataclass(frozen=True, slots=True)
class Began:
    """A transaction has begun."""

    key: EvseKey
    session: int
    visit: Visit


@dataclass(frozen=True, slots=True)
class Ended:
    """A transaction has ended."""

    key: EvseKey
    session: int


@dataclass(frozen=True, slots=True)
class Freed:
    """A station that connects says that nobody is at an EVSE."""

    key: EvseKey


@dataclass(frozen=True, slots=True)
class Measured:
    """An EVSE's reading: amperes on each phase of the site, and the energy of the session so far."""

    key: EvseKey
    session: int
    phase_a: PerPhase
    energy_wh: float


@dataclass(frozen=True, slots=True)
class LoadRead:
    """A reading of a node's other loads."""

    node_id: str
    phase_a: PerPhase


@dataclass(frozen=True, slots=True)
class LimitSet:
    """Someone else sets a limit for a node, or takes it away (None)."""

    node_id: str
    phase_a: float | None
    number: int


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a station about an EVSE; `token` is the CSMS's own, for the answer.

    `set` puts a profile into a slot, `clear` empties it; `stop` ends what the vehicle draws, `start` begins it again.
    A profile of a `session` is for that one only.
    """

    key: EvseKey
    asking: Literal["set", "clear", "report", "stop", "start"]
    slot: Slot = "TxProfile"
    profile: Profile = NOTHING
    session: int | None = None
    token: object = None

    @staticmethod
    def of(key: EvseKey, slot: Slot, limit_a: float, until_s: float = NEVER) -> "Ask":
        """Return one for a single limit from now on."""
        return Ask(key, "set", slot, Profile(((0.0, limit_a),), until_s))


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of it; a report says what the station allows."""

    ask: Ask
    outcome: Outcome
    allows_a: float | None = None


Fact: TypeAlias = Connected | Lost | Freed | Began | Ended | Measured | LoadRead | LimitSet | Answered
