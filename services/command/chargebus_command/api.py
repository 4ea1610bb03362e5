"""HTTP in: a command for a station, and the ledger."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Final

import msgspec
from chargebus_runtime.http import (
    IDEMPOTENCY_KEY,
    Caller,
    IdempotencyKey,
    Listing,
    Page,
    PageQuery,
    Problem,
    Role,
    directly,
    raises,
    require,
)
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import ValidationError

from chargebus_command.domain.state import Rules
from chargebus_command.errors import (
    CommandError,
    KeyReusedError,
    MisfitError,
    NotAllowedError,
    OwnedError,
    QueueFullError,
    UnknownCommandError,
    UnknownStationError,
)
from chargebus_command.operations import Commands, Order
from chargebus_command.resources import (
    ACTION,
    MAX_PAYLOAD_BYTES,
    CommandRequest,
    CommandView,
    OutcomeName,
    StateName,
    encoded,
    view,
)
from chargebus_command.store.queries import CommandFilter

VIEWER: Final = Depends(require(Role.VIEWER))
MAY_ASK: Final = require(Role.OPERATOR)
OPERATOR: Final = Depends(MAY_ASK)

COMMANDS: Final = Listing("commands", int)

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]{1,255}$"
_STATION_ID: Final = re.compile(_PRINTABLE)
_KEY: Final = re.compile(IDEMPOTENCY_KEY)
_JSON: Final = "application/json"

StationId = Annotated[str, Path(pattern=_PRINTABLE, description="The station's identity")]
CommandId = Annotated[str, Path(pattern=_PRINTABLE)]

_PROBLEMS: Final[dict[type[CommandError], tuple[int, str]]] = {
    KeyReusedError: (422, "the idempotency key was used before"),
    MisfitError: (422, "the command does not fit the station"),
    NotAllowedError: (403, "not allowed"),
    OwnedError: (409, "another route does it"),
    QueueFullError: (429, "too many commands wait for the station"),
    UnknownCommandError: (404, "no such command"),
    UnknownStationError: (404, "no such station"),
}


@dataclass(frozen=True)
class ApiParts:
    """What the routes work with; `http_wait_s` is how long a call waits for an outcome."""

    commands: Commands
    rules: Rules
    http_wait_s: float


def router(parts: ApiParts) -> APIRouter:
    """Return the routes of this service."""
    routes = APIRouter(tags=["commands"])
    _add_placing(routes, parts)
    _add_reading(routes, parts.commands)
    return routes


def _add_placing(routes: APIRouter, parts: ApiParts) -> None:
    async def place(station_id: str, request: CommandRequest, caller: Caller, idempotency_key: str | None) -> Response:
        _check_times(request, parts.rules)
        with _problems():
            parts.commands.check_role(caller.role, request.action, request.payload)
            order = _order(station_id, request, caller, idempotency_key)
            row = await parts.commands.place(order, parts.http_wait_s)
        on_its_way = not request.wait or row["outcome"] is None
        headers = {"Location": f"/v1/commands/{row['command_id']}"}
        return Response(encoded(row), 202 if on_its_way else 200, headers, media_type=_JSON)

    async def place_command(
        station_id: StationId,
        request: CommandRequest,
        caller: Annotated[Caller, OPERATOR],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Answered with the outcome; with 202 and a link if the caller does not wait, or waits in vain.

        What concerns certificates, firmware, or the security and network of the station takes the role admin.
        DeleteCertificate is refused (409): the routes of certificates keep the last root that works.
        """
        return await place(station_id, request, caller, idempotency_key)

    async def place_plain(request: Request, body: bytes) -> Response | None:
        station_id, keys = request.path_params["station_id"], request.headers.getlist("Idempotency-Key")
        if not _STATION_ID.fullmatch(station_id) or not all(map(_KEY.fullmatch, keys)):
            return None
        try:
            wanted = CommandRequest.model_validate_json(body)
        except ValidationError:
            return None
        return await place(station_id, wanted, await MAY_ASK(request), keys[0] if keys else None)

    routes.add_api_route(
        "/stations/{station_id}/commands",
        place_command,
        methods=["POST"],
        summary="Send a command to a station",
        response_model=CommandView,
        responses={
            202: {"model": CommandView, "description": "It has not ended yet: look again at Location"},
            **raises(404, 409, 429),
        },
        route_class_override=directly(place_plain),
    )


def _add_reading(routes: APIRouter, commands: Commands) -> None:
    @routes.get(
        "/commands/{command_id}",
        summary="A command and its outcome",
        dependencies=[VIEWER],
        response_model=CommandView,
        responses=raises(404),
    )
    async def get_command(command_id: CommandId) -> Response:
        with _problems():
            return Response(encoded(await commands.get(command_id)), media_type=_JSON)

    @routes.get("/commands", summary="List commands, the newest first", dependencies=[VIEWER])
    async def list_commands(
        paging: Annotated[PageQuery, Depends()], wanted: Annotated[CommandFilter, Depends(_filter)]
    ) -> Page[CommandView]:
        return await _page(commands, wanted, paging)

    @routes.get(
        "/stations/{station_id}/commands",
        summary="List a station's commands, the newest first",
        dependencies=[VIEWER],
        responses=raises(404),
    )
    async def list_station_commands(
        station_id: StationId,
        paging: Annotated[PageQuery, Depends()],
        wanted: Annotated[CommandFilter, Depends(_filter)],
    ) -> Page[CommandView]:
        return await _page(commands, replace(wanted, station_id=station_id), paging)


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        status, title = _PROBLEMS[type(error)]
        raise Problem(status, title, str(error)) from error


def _filter(
    state: Annotated[StateName | None, Query()] = None,
    action: Annotated[str | None, Query(pattern=ACTION, description="An action's name, such as `Reset`")] = None,
    outcome: Annotated[OutcomeName | None, Query()] = None,
) -> CommandFilter:
    return CommandFilter(state=state, action=action, outcome=outcome)


async def _page(commands: Commands, wanted: CommandFilter, paging: PageQuery) -> Page[CommandView]:
    with _problems():
        rows = await commands.find(replace(wanted, below=COMMANDS.after(paging)), paging.limit + 1)
    found = COMMANDS.page(rows, paging.limit, lambda row: int(row["number"]))
    return Page(items=[view(row) for row in found.items], next=found.next)


def _check_times(request: CommandRequest, rules: Rules) -> None:
    if request.timeout_s > rules.max_timeout_s:
        raise Problem(422, "too long", f"timeout_s may be {rules.max_timeout_s:g} at most.")
    if request.ttl_s > rules.max_ttl_s:
        raise Problem(422, "too long", f"ttl_s may be {rules.max_ttl_s:g} at most.")


def _payload(request: CommandRequest) -> bytes:
    payload = msgspec.json.encode(request.payload)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Problem(422, "invalid request", f"payload may have {MAX_PAYLOAD_BYTES} bytes at most, as compact JSON.")
    return payload


def _order(station_id: str, request: CommandRequest, caller: Caller, idempotency_key: str | None) -> Order:
    return Order(
        command_id=str(uuid.uuid4()),
        station_id=station_id,
        action=request.action,
        payload=_payload(request),
        timeout_s=request.timeout_s,
        ttl_s=request.ttl_s,
        caller=caller.key_id,
        idempotency_key=idempotency_key,
        waits=request.wait,
    )
