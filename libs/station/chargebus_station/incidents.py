"""What goes wrong in a fleet's life, without anybody asking for it; simulated seconds."""

import random
from typing import Final

from chargebus_station.external_limits import ExternalLimit
from chargebus_station.station import Station

_EVERY_S: Final = 3 * 3600.0
"""The mean time between two incidents of one station."""


async def lose_network(station: Station, rng: random.Random) -> None:
    """Lose the network for a while, and come back with what was queued."""
    station.cut()
    await station.clock.sleep(rng.uniform(900, 3600))
    station.mend()


async def break_connector(station: Station, rng: random.Random) -> None:
    """Let a connector fail and recover; one that somebody broke on purpose stays as it is."""
    evse_id = rng.choice(list(station.state.evses))
    if station.state.evses[evse_id].faulted:
        return
    station.break_connector(evse_id)
    await station.clock.sleep(rng.uniform(600, 2400))
    station.repair_connector(evse_id)


async def lose_power(station: Station, rng: random.Random) -> None:  # noqa: ARG001  one of three alike
    """Restart after a power failure."""
    station.power_cycle()


async def lose_network_in_mid_charge(station: Station, rng: random.Random) -> None:
    """Lose the network for a while as soon as somebody charges."""
    await station.until(lambda: any(evse.charge is not None for evse in station.state.evses.values()))
    await lose_network(station, rng)


async def limit_by_ems(station: Station, rng: random.Random) -> None:
    """Let a local energy management system take half of the current away, or more, and give it back."""
    most_a = min(evse.outlet.amperes(evse.outlet.max_power_w) for evse in station.state.evses.values())
    external = ExternalLimit(round(most_a * rng.uniform(0.2, 0.5), 1))
    station.limit_externally(external)
    await station.clock.sleep(rng.uniform(900, 3600))
    station.lift_external_limit(external)


async def live(station: Station, rng: random.Random) -> None:
    """Let incidents happen to a station, for ever; losing the network is the commonest."""
    while True:
        await station.clock.sleep(rng.expovariate(1 / _EVERY_S))
        happens = rng.choice((lose_network, lose_network, lose_network, break_connector, break_connector, lose_power))
        await happens(station, rng)
