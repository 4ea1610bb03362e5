"""Owns what comes in over HTTP about deviations: those of a station, their sums, and the rules."""

from typing import Annotated, Final
from uuid import UUID, uuid4

from chargebus_events.registry import DeviationRule
from chargebus_ocppj.versions import Version
from chargebus_runtime.database import Database
from chargebus_runtime.http import Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Query, Response

from chargebus_device.deviations import operations
from chargebus_device.deviations.errors import RuleError, RuleExistsError, TooManyRulesError
from chargebus_device.deviations.resources import DeviationOut, DeviationSum, RuleIn, RuleOut
from chargebus_device.deviations.store import deviations, rules

VIEWER: Final = Depends(require(Role.VIEWER))
ADMIN: Final = Depends(require(Role.ADMIN))

OF_STATION: Final = Listing("station-deviations", str)
SUMS: Final = Listing("deviations", str)
RULES: Final = Listing("deviation-rules", UUID)

_TITLES: Final[dict[type[RuleError], str]] = {
    RuleExistsError: "rule exists",
    TooManyRulesError: "too many rules",
}

Paging = Annotated[PageQuery, Depends()]
StationId = Annotated[str, Path(description="The station's identity, percent-encoded in UTF-8, a slash in it too")]


def router(database: Database) -> APIRouter:
    """Return the routes of deviations."""
    routes = APIRouter(tags=["deviations"])
    routes.include_router(_lists(database))
    routes.include_router(_rules(database))
    return routes


def _lists(database: Database) -> APIRouter:
    routes = APIRouter()

    @routes.get(
        "/stations/{station_id}/deviations",
        summary="In what ways a station breaks the schemas",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def list_station_deviations(station_id: StationId, paging: Paging) -> Page[DeviationOut]:
        async with database.pool.acquire() as connection:
            if not await deviations.is_registered(connection, station_id):
                detail = f"No station {station_id} is registered; POST /v1/stations registers one."
                raise Problem(404, "no such station", detail)
            after = OF_STATION.after(paging) or ""
            rows = await deviations.of_station(connection, station_id, after, paging.limit + 1)
        found = OF_STATION.page(rows, paging.limit, lambda row: row["place"])
        return Page(items=[DeviationOut.model_validate(dict(row)) for row in found.items], next=found.next)

    @routes.get("/deviations", summary="In what ways makes of stations break the schemas", dependencies=[VIEWER])
    async def list_deviations(
        paging: Paging, wanted: Annotated[deviations.Filter, Depends(_filter)]
    ) -> Page[DeviationSum]:
        async with database.pool.acquire() as connection:
            rows = await deviations.sums(connection, wanted, SUMS.after(paging) or "", paging.limit + 1)
        found = SUMS.page(rows, paging.limit, lambda row: row["place"])
        return Page(items=[DeviationSum.model_validate(dict(row)) for row in found.items], next=found.next)

    return routes


def _rules(database: Database) -> APIRouter:
    routes = APIRouter(prefix="/deviation-rules")

    @routes.get("", summary="List deviation rules", dependencies=[VIEWER])
    async def list_rules(paging: Paging) -> Page[RuleOut]:
        async with database.pool.acquire() as connection:
            rows = await rules.page(connection, RULES.after(paging), paging.limit + 1)
        found = RULES.page(rows, paging.limit, lambda row: row["rule_id"])
        return Page(items=[RuleOut.model_validate(dict(row)) for row in found.items], next=found.next)

    @routes.post("", summary="Add a deviation rule", status_code=201, dependencies=[ADMIN], responses=raises(409))
    async def add_rule(wanted: RuleIn, response: Response) -> RuleOut:
        """The rule that names most of make, action and kind counts; of two that name as much, the one that refuses.

        It counts at once, for open connections, too. A station that is `strict` is not asked for.
        """
        rule_id = uuid4()
        said = wanted.model_dump()
        note = said.pop("note")
        try:
            created_at = await operations.add_rule(database, rule_id, DeviationRule(**said), note)
        except RuleError as error:
            raise Problem(409, _TITLES[type(error)], str(error)) from error
        response.headers["Location"] = f"/v1/deviation-rules/{rule_id}"
        return RuleOut(rule_id=rule_id, note=note, created_at=created_at, **said)

    @routes.delete(
        "/{rule_id}",
        summary="Remove a deviation rule",
        status_code=204,
        dependencies=[ADMIN],
        responses=raises(404),
    )
    async def remove_rule(rule_id: UUID) -> None:
        if not await operations.remove_rule(database, rule_id):
            raise Problem(404, "no such rule", f"There is no rule {rule_id}; GET /v1/deviation-rules lists them.")

    return routes


async def _filter(  # noqa: PLR0913 - each is one parameter of the address
    *,
    vendor: str | None = None,
    model: str | None = None,
    firmware_version: str | None = None,
    version: Annotated[Version | None, Query(description="OCPP version")] = None,
    action: str | None = None,
    kind: str | None = None,
    refused: Annotated[bool | None, Query(description="the frames were refused, or were accepted as meant")] = None,
) -> deviations.Filter:
    return deviations.Filter(vendor, model, firmware_version, version, action, kind, refused)
