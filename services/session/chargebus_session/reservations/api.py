"""HTTP in: reservations."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final

from chargebus_commanding import KeyReusedError
from chargebus_runtime.database import Database
from chargebus_runtime.http import IdempotencyKey, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Query, Response

from chargebus_session.reservations import store
from chargebus_session.reservations.errors import (
    EndedError,
    NoSuchPlaceError,
    OverError,
    ReservationError,
    ReservedError,
    TokenRefusedError,
    UnknownReservationError,
    UnknownStationError,
    UnknownTokenError,
)
from chargebus_session.reservations.operations import Reservations
from chargebus_session.reservations.resources import (
    FittingReservation,
    ReservationOut,
    ReservedEvse,
    StateName,
    StationReservations,
)
from chargebus_session.reservations.store import ReservationFilter
from chargebus_session.tokens.domain import keys_meant

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))

RESERVATIONS: Final = Listing("reservations", int)

_PROBLEMS: Final[dict[type[ReservationError], tuple[int, str]]] = {
    UnknownStationError: (404, "no such station"),
    NoSuchPlaceError: (404, "no such EVSE"),
    UnknownReservationError: (404, "no such reservation"),
    OverError: (422, "the reservation is over"),
    UnknownTokenError: (422, "token unknown"),
    TokenRefusedError: (409, "token refused"),
    ReservedError: (409, "reserved"),
    EndedError: (409, "reservation ended"),
}

ReservationId = Annotated[int, Path(ge=0, lt=2**31)]
Paging = Annotated[PageQuery, Depends()]


@dataclass(frozen=True)
class ReservationQuery:
    """Which reservations to list."""

    station_id: Annotated[str | None, Query(description="at this station")] = None
    evse_id: Annotated[int | None, Query(ge=1, lt=2**31, description="of this very EVSE")] = None
    state: Annotated[list[StateName] | None, Query(description="in this state; say it again for several")] = None
    id_token: Annotated[str | None, Query(description="for this token; an eMAID in any spelling")] = None
    group_id: Annotated[str | None, Query(description="for this group")] = None

    def filter(self) -> ReservationFilter:
        """Return it as the store takes it."""
        return ReservationFilter(
            station_id=self.station_id,
            evse_id=self.evse_id,
            states=self.state,
            token_keys=None if self.id_token is None else keys_meant(self.id_token),
            group_id=self.group_id,
        )


def router(database: Database, reservations: Reservations) -> APIRouter:
    """Return the routes of reservations."""
    routes = APIRouter(tags=["reservations"], dependencies=[VIEWER])

    @routes.post(
        "/reservations",
        summary="Reserve an EVSE",
        status_code=202,
        dependencies=[OPERATOR],
        responses=raises(404, 409),
    )
    async def reserve(
        wanted: FittingReservation, response: Response, idempotency_key: IdempotencyKey = None
    ) -> ReservationOut:
        """The station is asked at once; its answer is the `state` at Location.

        Refused with 409 where an EVSE is reserved already, or fewer are left than there are reservations. Whether an
        EVSE is occupied or faulted its station decides.
        """
        with _told():
            made = await reservations.reserve(wanted.wanted(), idempotency_key)
        response.headers["Location"] = f"/v1/reservations/{made.reservation_id}"
        return ReservationOut.of(made)

    @routes.get("/reservations", summary="List reservations, the newest first")
    async def list_reservations(paging: Paging, wanted: Annotated[ReservationQuery, Depends()]) -> Page[ReservationOut]:
        before = RESERVATIONS.after(paging)
        found = await store.listed(database.pool, wanted.filter(), before, paging.limit + 1)
        page = RESERVATIONS.page(found, paging.limit, lambda each: each.reservation_id)
        return Page(items=[ReservationOut.of(each) for each in page.items], next=page.next)

    @routes.get("/reservations/{reservation_id}", summary="A reservation", responses=raises(404))
    async def show(reservation_id: ReservationId) -> ReservationOut:
        found = await store.get(database.pool, reservation_id)
        if found is None:
            raise Problem(404, "no such reservation", "See /v1/reservations for those there are.")
        return ReservationOut.of(found)

    @routes.delete(
        "/reservations/{reservation_id}",
        summary="Cancel a reservation",
        status_code=202,
        dependencies=[OPERATOR],
        responses=raises(404, 409),
    )
    async def cancel(reservation_id: ReservationId) -> ReservationOut:
        """The station is asked to give it up, again and again until it answers or the time is over.

        It stays to be seen, as `cancelled`.
        """
        with _told():
            return ReservationOut.of(await reservations.cancel(reservation_id))

    @routes.get("/stations/{station_id}/reservations", summary="What is reserved at a station", responses=raises(404))
    async def of_station(station_id: str) -> StationReservations:
        """Its EVSEs with what they said last, and all reservations that are open."""
        async with database.transaction() as tx:
            station = await store.station(tx.connection, station_id)
            found = await store.running(tx.connection, station_id, tx.now)
        if station is None:
            raise Problem(404, "no such station", "See /v1/stations for those there are.")
        keeping = {each.evse_id: each.reservation_id for each in found}
        evses = [
            ReservedEvse(
                evse_id=evse_id,
                connector_types=sorted(types),
                statuses=[each for each in station.statuses.get(evse_id, ()) if each],
                reservation_id=keeping.get(evse_id),
            )
            for evse_id, types in station.evses.items()
        ]
        return StationReservations(
            station_id=station_id, evses=evses, reservations=[ReservationOut.of(each) for each in found]
        )

    return routes


@contextmanager
def _told() -> Iterator[None]:
    """Tell as a problem why something cannot be."""
    try:
        yield
    except ReservationError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
    except KeyReusedError as error:
        raise Problem(422, "the idempotency key was used before", str(error)) from error
