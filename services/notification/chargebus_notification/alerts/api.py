"""HTTP in: rules, alerts and silences."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Final, Literal
from urllib.parse import quote
from uuid import uuid4

from chargebus_runtime.clock import Clock
from chargebus_runtime.http import Caller, FieldError, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Query, Response

from chargebus_notification.alerts.domain.rule import Severity
from chargebus_notification.alerts.errors import (
    AlertsError,
    NeverOpenError,
    ResolvedAlertError,
    UnknownAlertError,
    UnknownRuleError,
    UnknownSilenceError,
)
from chargebus_notification.alerts.operations.looking import Alerts, Rules, Silences
from chargebus_notification.alerts.resources import (
    ID_PATTERN,
    AlertOut,
    MemberOut,
    Note,
    RuleDescription,
    RuleOut,
    SilenceDescription,
    SilenceOut,
    rule_of,
)
from chargebus_notification.alerts.store.alerts import Wanted

RULES: Final = Listing("alert-rules", str)
ALERTS: Final = Listing("alerts", int)
MEMBERS: Final = Listing("alert-stations", str)
SILENCES: Final = Listing("silences", str)

VIEWER: Final = Depends(require(Role.VIEWER))
OPERATOR: Final = Depends(require(Role.OPERATOR))
Operator = Annotated[Caller, Depends(require(Role.OPERATOR))]

RuleId = Annotated[str, Path(description="The rule's name")]
NewRuleId = Annotated[str, Path(description="The rule's name", pattern=ID_PATTERN)]
AlertId = Annotated[str, Path(description="The alert")]
SilenceId = Annotated[str, Path(description="The silence")]
Filter = Literal["open", "acknowledged", "resolved"]

_PROBLEMS: Final[dict[type[AlertsError], tuple[int, str]]] = {
    UnknownRuleError: (404, "no such rule"),
    UnknownAlertError: (404, "no such alert"),
    ResolvedAlertError: (409, "it is over"),
    UnknownSilenceError: (404, "no such silence"),
}


def router(rules: Rules, alerts: Alerts, silences: Silences, clock: Clock) -> APIRouter:
    """Return the routes of this subject."""
    routes = APIRouter()
    routes.include_router(_rule_routes(rules))
    routes.include_router(_alert_routes(alerts))
    routes.include_router(_silence_routes(silences, clock))
    return routes


def _rule_routes(rules: Rules) -> APIRouter:
    routes = APIRouter(prefix="/alert-rules", tags=["alert rules"])

    @routes.get("", summary="List rules", dependencies=[VIEWER])
    async def list_rules(paging: Annotated[PageQuery, Depends()]) -> Page[RuleOut]:
        found = await rules.page(RULES.after(paging) or "", paging.limit + 1)
        return RULES.page([RuleOut.of(each) for each in found], paging.limit, lambda rule: rule.rule_id)

    @routes.get("/{rule_id}", summary="Show a rule", dependencies=[VIEWER], responses=raises(404))
    async def show_rule(rule_id: RuleId) -> RuleOut:
        with _problems():
            return RuleOut.of(await rules.find(rule_id))

    @routes.put(
        "/{rule_id}",
        summary="Set a rule",
        dependencies=[OPERATOR],
        responses={201: {"model": RuleOut, "description": "It is new"}},
    )
    async def put_rule(rule_id: NewRuleId, wanted: RuleDescription, response: Response) -> RuleOut:
        """It counts at once, and takes the place of what the rule was before; its open alerts follow it."""
        rule = rule_of(rule_id, wanted)
        if await rules.put(rule):
            response.status_code = 201
        return RuleOut.of(rule)

    @routes.delete(
        "/{rule_id}",
        summary="Take a rule away",
        status_code=204,
        dependencies=[OPERATOR],
        responses=raises(404),
    )
    async def remove_rule(rule_id: RuleId) -> None:
        """What it told of is resolved."""
        with _problems():
            await rules.remove(rule_id)

    return routes


def _alert_routes(alerts: Alerts) -> APIRouter:
    routes = APIRouter(prefix="/alerts", tags=["alerts"])

    @routes.get("", summary="List alerts, the newest first", dependencies=[VIEWER])
    async def list_alerts(
        paging: Annotated[PageQuery, Depends()], wanted: Annotated[Wanted, Depends(_wanted)]
    ) -> Page[AlertOut]:
        found = await alerts.page(wanted, ALERTS.after(paging), paging.limit + 1)
        page = ALERTS.page(found, paging.limit, lambda each: each[0])
        return Page(items=[AlertOut.of(alert) for _, alert in page.items], next=page.next)

    @routes.get("/{alert_id}", summary="Show an alert", dependencies=[VIEWER], responses=raises(404))
    async def show_alert(alert_id: AlertId) -> AlertOut:
        with _problems():
            return AlertOut.of(await alerts.find(alert_id))

    @routes.get(
        "/{alert_id}/stations",
        summary="List the stations that an alert stands for now",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def list_stations(alert_id: AlertId, paging: Annotated[PageQuery, Depends()]) -> Page[MemberOut]:
        """Of an alert that stands for itself there are none."""
        with _problems():
            found = await alerts.members(alert_id, MEMBERS.after(paging) or "", paging.limit + 1)
        shown = [MemberOut(station_id=station_id, since=since) for station_id, since in found]
        return MEMBERS.page(shown, paging.limit, lambda member: member.station_id)

    @routes.post("/{alert_id}/acknowledge", summary="Take an alert on", responses=raises(404, 409))
    async def acknowledge(alert_id: AlertId, said: Note, caller: Operator) -> AlertOut:
        """It stays open; everybody sees who takes care of it. Who does last counts."""
        with _problems():
            return AlertOut.of(await alerts.acknowledge(alert_id, caller.name, said.note))

    @routes.post("/{alert_id}/resolve", summary="Say that an alert is over", responses=raises(404, 409))
    async def resolve(alert_id: AlertId, said: Note, caller: Operator) -> AlertOut:
        """It stays so, whatever its rule says, until it happens anew."""
        with _problems():
            return AlertOut.of(await alerts.resolve(alert_id, caller.name, said.note))

    return routes


def _silence_routes(silences: Silences, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/silences", tags=["silences"])

    @routes.get("", summary="List silences", dependencies=[VIEWER])
    async def list_silences(paging: Annotated[PageQuery, Depends()]) -> Page[SilenceOut]:
        found = await silences.page(SILENCES.after(paging) or "", paging.limit + 1)
        now = clock()
        return SILENCES.page([SilenceOut.of(each, now) for each in found], paging.limit, lambda each: each.silence_id)

    @routes.post("", summary="Silence alerts for some time", status_code=201)
    async def add_silence(wanted: SilenceDescription, caller: Operator, response: Response) -> SilenceOut:
        """Alerts open and are resolved all the same, and show that they are silenced."""
        now = clock()
        silence = wanted.silence(str(uuid4()), caller.name, now)
        with _problems():
            await silences.add(silence)
        response.headers["Location"] = f"/v1/silences/{quote(silence.silence_id, safe='')}"
        return SilenceOut.of(silence, now)

    @routes.get("/{silence_id}", summary="Show a silence", dependencies=[VIEWER], responses=raises(404))
    async def show_silence(silence_id: SilenceId) -> SilenceOut:
        with _problems():
            return SilenceOut.of(await silences.find(silence_id), clock())

    @routes.delete(
        "/{silence_id}",
        summary="End a silence before its time",
        status_code=204,
        dependencies=[OPERATOR],
        responses=raises(404),
    )
    async def remove_silence(silence_id: SilenceId) -> None:
        with _problems():
            await silences.remove(silence_id)

    return routes


async def _wanted(
    state: Annotated[list[Filter] | None, Query(description="any of these", max_length=3)] = None,
    severity: Severity | None = None,
    station_id: Annotated[str | None, Query(max_length=255)] = None,
    rule_id: Annotated[str | None, Query(max_length=255)] = None,
    label: Annotated[
        list[Annotated[str, Query(pattern=r"^[^:\x00-\x1f]+:[^\x00-\x1f]*$", max_length=201)]] | None,
        Query(description="name:value; all of these", max_length=10),
    ] = None,
) -> Wanted:
    labels = None if label is None else dict(each.split(":", 1) for each in label)
    return Wanted(state, severity, station_id, rule_id, labels)


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except NeverOpenError as error:
        raise Problem(422, "it never holds", errors=[FieldError("body", str(error))]) from error
    except AlertsError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error
