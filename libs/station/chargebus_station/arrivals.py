"""A believable day: who comes when, to which outlet, for how long, with which token."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from chargebus_station.charging import Outlet
from chargebus_station.driver_visit import Departure, DriverVisit, Order
from chargebus_station.transaction import IdToken
from chargebus_station.vehicles import any_vehicle

# Arrivals in an hour at an EVSE that is free, by the hour of the day (UTC).
_AC: Final = (
    *(0.05, 0.05, 0.05, 0.05, 0.1, 0.2, 0.5, 1.2, 1.6, 1.2, 0.8, 0.7),
    *(0.9, 0.9, 0.7, 0.7, 0.8, 1.2, 1.4, 1.0, 0.6, 0.4, 0.2, 0.1),
)
_DC: Final = (
    *(0.1, 0.1, 0.1, 0.1, 0.2, 0.5, 1.0, 1.5, 1.5, 1.5, 1.8, 2.2),
    *(2.2, 1.8, 1.8, 2.0, 2.4, 2.6, 2.2, 1.6, 1.0, 0.6, 0.4, 0.2),
)

_DOUBTFUL: Final = 0.08
"""How many of the drivers come with a token that is not good."""

_LEAVES_WITHOUT_A_WORD: Final = 0.15


@dataclass(frozen=True)
class Drivers:
    """Whose tokens are presented: `good` ones, and now and then a doubtful one (blocked, expired) or an unknown one."""

    good: Sequence[str]
    doubtful: Sequence[str] = ()

    def pick(self, rng: random.Random, busy: Collection[str]) -> IdToken:
        """Return the next driver's token, preferably of somebody who does not charge elsewhere."""
        if rng.random() < _DOUBTFUL or not self.good:
            unknown = f"LOST{rng.randrange(16**8):08X}"
            return IdToken(rng.choice((*self.doubtful, unknown)))
        return IdToken(rng.choice([token for token in self.good if token not in busy] or self.good))


def arrivals_per_hour(outlet: Outlet, hour: int) -> float:
    """Return how many drivers an hour would come to a free outlet."""
    return (_AC if outlet.phases else _DC)[hour]


def any_visit(rng: random.Random, evse_id: int, outlet: Outlet, token: IdToken) -> DriverVisit:
    """Return what the next driver does: hours at an AC outlet, half an hour or so at a DC one."""
    typical_s, shortest_s, longest_s = (9_000, 1_200, 32_400) if outlet.phases else (1_800, 600, 4_200)
    stay_s = min(longest_s, max(shortest_s, typical_s * rng.lognormvariate(0, 0.6)))
    return DriverVisit(
        evse_id=evse_id,
        vehicle=any_vehicle(rng, outlet),
        token=token,
        stay_s=round(stay_s),
        order=rng.choice((Order.PLUG_FIRST, Order.PLUG_FIRST, Order.TOKEN_FIRST)),
        departure=Departure.UNPLUGS if rng.random() < _LEAVES_WITHOUT_A_WORD else Departure.TOKEN,
    )
