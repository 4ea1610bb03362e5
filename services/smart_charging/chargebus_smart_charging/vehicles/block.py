"""What vehicles of a batch need: what is known at their EVSEs is loaded once, each is taken in its turn, kept once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from chargebus_calls import Answer, Block, Call
from chargebus_runtime.batch import Batch

from chargebus_smart_charging.sites.domain.site import EvseKey
from chargebus_smart_charging.sites.store import due, evses
from chargebus_smart_charging.vehicles.domain.needs import ChargingNeeds, PriorityCharging
from chargebus_smart_charging.vehicles.domain.vehicle import Vehicle
from chargebus_smart_charging.vehicles.store import vehicles

Request = ChargingNeeds | PriorityCharging


@dataclass
class Needing:
    """What is known at the EVSEs of a batch, at which of them transactions are, and which stations have a site."""

    known: dict[EvseKey, Vehicle]
    places: dict[tuple[str, str], int]
    sites: dict[str, str]
    changed: dict[EvseKey, Vehicle] = field(default_factory=dict)

    def at(self, key: EvseKey) -> Vehicle:
        """Return what is known at an EVSE by now."""
        return self.changed.get(key) or self.known.get(key) or Vehicle(*key)


class Needs(Block[Request, Needing]):
    """Keeps what vehicles need, and has their sites planned at once: their stations wait for a profile."""

    async def load(self, batch: Batch, calls: Sequence[Call[Request]]) -> Needing:
        """Return what is known at the EVSEs that calls are about."""
        requests = [call.request for call in calls]
        named = {(each.station_id, each.transaction_id) for each in requests if isinstance(each, PriorityCharging)}
        places = await vehicles.of_transactions(batch.connection, named)
        keys = {(station_id, evse_id) for (station_id, _), evse_id in places.items()}
        keys |= {(each.station_id, each.evse_id) for each in requests if isinstance(each, ChargingNeeds)}
        sites = await evses.sites_of(batch.connection, {station_id for station_id, _ in keys})
        return Needing(await vehicles.lock(batch.connection, keys), places, sites)

    def decide(self, state: Needing, call: Call[Request]) -> Answer | None:
        """Take a call in its turn."""
        if isinstance(call.request, PriorityCharging):
            _prefer(state, call.request)
            return None
        return call.answered(_need(state, call.request))

    async def save(self, batch: Batch, state: Needing) -> None:
        """Keep what is known now."""
        await vehicles.keep(batch.connection, state.changed.values(), batch.now)
        sites = {state.sites[station_id] for station_id, _ in state.changed if station_id in state.sites}
        await due.mark_by(batch, sites, batch.now)


def _prefer(state: Needing, request: PriorityCharging) -> None:
    evse_id = state.places.get((request.station_id, request.transaction_id))
    if evse_id is not None:
        key = request.station_id, evse_id
        state.changed[key] = msgspec.structs.replace(state.at(key), preferred=request.activated)


def _need(state: Needing, request: ChargingNeeds) -> str:
    if not request.offered:
        return "not offered"
    key = request.station_id, request.evse_id
    vehicle = state.at(key)
    from_wh = vehicle.energy_wh if vehicle.present is not None else 0.0
    needs = msgspec.structs.replace(request.needs, from_wh=from_wh)
    state.changed[key] = msgspec.structs.replace(vehicle, ev=needs)
    return "planned" if request.station_id in state.sites else "unplanned"
