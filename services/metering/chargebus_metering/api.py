"""HTTP in: the meter values of a session."""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from chargebus_runtime.database import Database
from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, UtcDatetime, raises, require
from fastapi import APIRouter, Depends, Query

from chargebus_metering.domain.identity import FIRST_ID, LAST_ID, Transaction, first_id, last_id
from chargebus_metering.resources import MeterValue
from chargebus_metering.store import readings, sessions
from chargebus_metering.store.readings import ReadingQuery

READINGS: Final = Listing("meter-values", UUID)


@dataclass(frozen=True)
class Filters:
    """Which readings to list."""

    measurand: Annotated[str | None, Query(description="such as Energy.Active.Import.Register")] = None
    phase: Annotated[str | None, Query(description="such as L1; empty: readings over all phases")] = None
    context: Annotated[str | None, Query(description="such as Transaction.Begin")] = None
    sampled_from: Annotated[UtcDatetime | None, Query(alias="from", description="sampled then or later")] = None
    sampled_to: Annotated[UtcDatetime | None, Query(alias="to", description="sampled before then")] = None


def router(database: Database) -> APIRouter:
    """Return metering's routes."""
    routes = APIRouter(tags=["metering"], dependencies=[Depends(require(Role.VIEWER))])

    @routes.get(
        "/sessions/{session_id}/meter-values",
        summary="The meter values of a session, in order of time",
        responses=raises(404),
    )
    async def list_meter_values(
        session_id: str, paging: Annotated[PageQuery, Depends()], filters: Annotated[Filters, Depends()]
    ) -> Page[MeterValue]:
        transaction = await sessions.find(database.pool, session_id)
        if transaction is None:
            raise Problem(404, "no such session", f"Metering knows no session {session_id!r}; see /v1/sessions.")
        stored = await readings.listed(database.pool, _query(transaction, paging, filters))
        values = [MeterValue.model_validate(each) for each in stored]
        return READINGS.page(values, paging.limit, lambda value: value.reading_id)

    return routes


def _query(transaction: Transaction, paging: PageQuery, filters: Filters) -> ReadingQuery:
    earliest = first_id(filters.sampled_from) if filters.sampled_from else FIRST_ID
    after = READINGS.after(paging)
    return ReadingQuery(
        transaction=transaction,
        after_id=max(earliest, FIRST_ID if after is None else str(after)),
        before_id=last_id(filters.sampled_to) if filters.sampled_to else LAST_ID,
        limit=paging.limit + 1,
        sampled_from=filters.sampled_from,
        sampled_to=filters.sampled_to,
        measurand=filters.measurand,
        phase=filters.phase,
        context=filters.context,
    )
