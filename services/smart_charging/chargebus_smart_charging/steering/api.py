"""HTTP in: how stations are steered, what they hold, what was learned of their kinds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import msgspec
from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path

from chargebus_smart_charging.steering.domain.learning import habits_by
from chargebus_smart_charging.steering.domain.profiles import is_ours
from chargebus_smart_charging.steering.errors import SteeringError, UnheardStationError, UnplacedEvseError
from chargebus_smart_charging.steering.operations import Compared, StationShown, Viewing
from chargebus_smart_charging.steering.resources import (
    CompositeScheduleOut,
    HabitsOut,
    LearnedHabits,
    LevelOut,
    ReportedProfileOut,
    ReportedProfilesOut,
    SteeredEvse,
    SteeredStation,
)
from chargebus_smart_charging.steering.store.habits import Kind, LearnedOf

KINDS: Final = Listing("smart-charging-habits", str)

_PROBLEMS: Final[dict[type[SteeringError], tuple[int, str]]] = {
    UnheardStationError: (404, "no such station"),
    UnplacedEvseError: (404, "no such EVSE"),
}

StationId = Annotated[str, Path(description="The station's identity")]
EvseId = Annotated[int, Path(ge=1, lt=2**31, description="On OCPP 1.6 the connector of that number")]


def router(viewing: Viewing) -> APIRouter:
    """Return the routes of how stations are steered."""
    routes = APIRouter(tags=["smart-charging"], dependencies=[Depends(require(Role.VIEWER))])

    @routes.get("/stations/{station_id}/charging", summary="How a station is steered", responses=raises(404))
    async def show_station(station_id: StationId) -> SteeredStation:
        with _told():
            return _station(await viewing.show(station_id))

    @routes.get(
        "/stations/{station_id}/charging-profiles",
        summary="The charging profiles that a station reported",
        responses=raises(404),
    )
    async def list_profiles(station_id: StationId) -> ReportedProfilesOut:
        """It is asked after each boot, and now and then; set by whom a profile was is said by the station."""
        with _told():
            found = await viewing.profiles(station_id)
        items = [
            ReportedProfileOut.model_validate({**msgspec.structs.asdict(each), "ours": is_ours(each.profile_id)})
            for each in found
        ]
        return ReportedProfilesOut(station_id=station_id, items=items)

    @routes.get(
        "/stations/{station_id}/evses/{evse_id}/composite-schedule",
        summary="Ask a station what an EVSE is allowed, and compare",
        responses=raises(404),
    )
    async def ask_composite(station_id: StationId, evse_id: EvseId) -> CompositeScheduleOut:
        """The station is asked now, and its answer is waited for."""
        with _told():
            return _compared(station_id, evse_id, await viewing.composite(station_id, evse_id))

    @routes.get("/smart-charging/habits", summary="What was learned of makes, models and firmwares")
    async def list_habits(paging: Annotated[PageQuery, Depends()]) -> Page[LearnedHabits]:
        found = await viewing.habits(_after(KINDS.after(paging)), paging.limit + 1)
        return KINDS.page([_learned(each) for each in found], paging.limit, _place)

    return routes


def _station(shown: StationShown) -> SteeredStation:
    station = shown.station
    return SteeredStation(
        station_id=station.station_id,
        site_id=shown.site_id,
        online=station.online,
        version=station.version,
        vendor=station.vendor,
        model=station.model,
        firmware_version=station.firmware_version,
        booted_at=station.booted_at,
        said_at=station.said_at,
        measurands=None if station.said.measurands is None else list(station.said.measurands),
        limit_key=shown.limit_key,
        habits=HabitsOut.model_validate(shown.habits),
        evses=[SteeredEvse.of(each) for each in shown.evses],
    )


def _compared(station_id: str, evse_id: int, compared: Compared) -> CompositeScheduleOut:
    outcome = compared.outcome
    return CompositeScheduleOut(
        station_id=station_id,
        evse_id=evse_id,
        outcome=None if outcome is None else outcome.name,
        status=None if outcome is None else outcome.status or None,
        reason=None if outcome is None else outcome.why or None,
        unit=compared.unit or None,
        allowed=LevelOut.all(compared.allowed),
        told=LevelOut.all(compared.told),
    )


def _learned(learned: LearnedOf) -> LearnedHabits:
    tally = learned.tally
    return LearnedHabits(
        vendor=learned.vendor,
        model=learned.model,
        firmware_version=learned.firmware_version,
        stations=learned.stations,
        habits=HabitsOut.model_validate(habits_by(tally)),
        taken=tally.taken,
        refused=tally.refused,
        disobeyed=tally.disobeyed,
        changed_at=learned.changed_at,
    )


def _place(learned: LearnedHabits) -> str:
    return msgspec.json.encode((learned.vendor, learned.model, learned.firmware_version)).decode()


def _after(place: str | None) -> Kind:
    return ("", "", "") if place is None else msgspec.json.decode(place, type=Kind)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what is refused into problems."""
    try:
        yield
    except SteeringError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
