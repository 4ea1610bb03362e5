"""HTTP in: searching events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from chargebus_events.public import Moment
from chargebus_runtime.conditions import Conditions
from chargebus_runtime.database import Database
from chargebus_runtime.http import Listing, Page, PageQuery, Role, UtcDatetime, require
from fastapi import APIRouter, Depends, Query

from chargebus_notification.events.resources import SecurityEventOut, StationEventOut
from chargebus_notification.events.store.events import SECURITY_EVENTS, STATION_EVENTS

_KEY: Final = tuple[Moment, UUID]
OF_STATIONS: Final[Listing[tuple[datetime, UUID]]] = Listing("station-events", _KEY)
OF_SECURITY: Final[Listing[tuple[datetime, UUID]]] = Listing("security-events", _KEY)

Paging = Annotated[PageQuery, Depends()]


@dataclass(frozen=True)
class EventQuery:
    """Which events to list, of any kind."""

    station_id: Annotated[str | None, Query(description="of this station")] = None
    since: Annotated[UtcDatetime | None, Query(alias="from", description="that were then or later")] = None
    until: Annotated[UtcDatetime | None, Query(alias="to", description="that were before then")] = None

    def conditions(self) -> Conditions:
        """Return what must hold."""
        where = Conditions()
        where.add("station_id = {}", self.station_id)
        where.add("at >= {}", self.since)
        where.add("at < {}", self.until)
        return where


@dataclass(frozen=True)
class StationEventQuery:
    """Which events of monitors to list."""

    component: Annotated[str | None, Query(description="of this component")] = None
    variable: Annotated[str | None, Query(description="of this variable")] = None
    evse_id: Annotated[int | None, Query(ge=0, lt=2**31, description="of this EVSE; 0: of the station")] = None
    trigger: Annotated[Literal["Alerting", "Delta", "Periodic"] | None, Query(description="by what")] = None
    severity: Annotated[
        int | None, Query(ge=0, le=9, description="this severe or more: 0 is danger, 9 debug; only those that tell it")
    ] = None
    cleared: Annotated[bool | None, Query(description="that tell that something is over, or that it is so")] = None
    transaction_id: Annotated[str | None, Query(description="about this transaction")] = None

    def conditions(self, of_any: EventQuery) -> Conditions:
        """Return what must hold."""
        where = of_any.conditions()
        where.add("component = {}", self.component)
        where.add("variable = {}", self.variable)
        where.add("evse_id = {}", self.evse_id)
        where.add("trigger = {}", self.trigger)
        where.add("severity <= {}", self.severity)
        where.add("cleared = {}", self.cleared)
        where.add("transaction_id = {}", self.transaction_id)
        return where


def router(database: Database) -> APIRouter:
    """Return the routes of events."""
    routes = APIRouter(tags=["events"], dependencies=[Depends(require(Role.VIEWER))])

    @routes.get("/station-events", summary="Search what stations' monitors told, the newest first")
    async def list_station_events(
        paging: Paging,
        of_any: Annotated[EventQuery, Depends()],
        wanted: Annotated[StationEventQuery, Depends()],
    ) -> Page[StationEventOut]:
        after = OF_STATIONS.after(paging)
        async with database.pool.acquire() as connection:
            found = await STATION_EVENTS.page(connection, wanted.conditions(of_any), after, paging.limit + 1)
        page = OF_STATIONS.page(found, paging.limit, lambda each: (each.at, UUID(each.event_id)))
        return Page(items=[StationEventOut.model_validate(each) for each in page.items], next=page.next)

    @routes.get("/security-events", summary="Search what stations told of their security, the newest first")
    async def list_security_events(
        paging: Paging,
        of_any: Annotated[EventQuery, Depends()],
        type_: Annotated[str | None, Query(alias="type", description="of this type")] = None,
    ) -> Page[SecurityEventOut]:
        after = OF_SECURITY.after(paging)
        where = of_any.conditions()
        where.add("type = {}", type_)
        async with database.pool.acquire() as connection:
            found = await SECURITY_EVENTS.page(connection, where, after, paging.limit + 1)
        page = OF_SECURITY.page(found, paging.limit, lambda each: (each.at, UUID(each.event_id)))
        return Page(items=[SecurityEventOut.model_validate(each) for each in page.items], next=page.next)

    return routes
