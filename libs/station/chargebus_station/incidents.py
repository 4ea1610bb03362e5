"""What goes wrong in a fleet's life, without anybody asking for it; simulated seconds."""

import random
from typing import Final

from chargebus_station.station import Station

_EVERY_S: Final = 3 * 3600.0
"""The mean time between two incidents of one station."""


async def lose_network(station: Station, rng: random.Random) -> None:
    """Lose the network for a while, and come back with what was queued."""
    station.cut()
    await station.clock.sleep(rng.uniform(900, 3600))
    station.mend()


async def break_connector(station: Station, rng: random.Random) -> None:
    """Let a connector fail and recover."""
    evse_id = rng.choice(list(station.state.evses))
    station.break_connector(evse_id)
    await station.clock.sleep(rng.uniform(600, 2400))
    station.repair_connector(evse_id)


async def lose_power(station: Station, rng: random.Random) -> None:  # noqa: ARG001  one of three alike
    """Restart after a power failure."""
    station.power_cycle()


async def live(station: Station, rng: random.Random) -> None:
    """Let incidents happen to a station, for ever; losing the network is the commonest."""
    while True:
        await station.clock.sleep(rng.expovariate(1 / _EVERY_S))
        happens = rng.choice((lose_network, lose_network, lose_network, break_connector, break_connector, lose_power))
        await happens(station, rng)
