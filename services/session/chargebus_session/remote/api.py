"""HTTP in: remote starts and stops."""

from typing import Annotated, Final

from chargebus_runtime.keys import Role, require
from fastapi import APIRouter, Depends, Path, Response

from chargebus_session.remote.operations import Intents
from chargebus_session.remote.resources import IntentOut, StartIn, StopIn
from chargebus_session.remote.store.intents import Intent, Result
from chargebus_session.transactions.api import session_id_of

OPERATOR: Final = Depends(require(Role.OPERATOR))

_ON_ITS_WAY: Final[dict[int | str, dict[str, object]]] = {
    202: {"model": IntentOut, "description": "On its way; the command is at Location"}
}


def router(intents: Intents) -> APIRouter:
    """Return the routes of remote starts and stops."""
    routes = APIRouter(dependencies=[OPERATOR])

    @routes.post(
        "/stations/{station_id}/evses/{evse_id}/start",
        summary="Start charging for a token",
        tags=["stations"],
        responses=_ON_ITS_WAY,
    )
    async def start(
        station_id: str, evse_id: Annotated[int, Path(ge=1, lt=2**31)], wanted: StartIn, response: Response
    ) -> IntentOut:
        """On OCPP 1.6 the EVSE is the connector of that number."""
        return _told(response, *await intents.start(station_id, evse_id, wanted))

    @routes.post("/sessions/{session_id}/stop", summary="Stop a session", tags=["sessions"], responses=_ON_ITS_WAY)
    async def stop(session_id: str, response: Response, wanted: StopIn | None = None) -> IntentOut:
        return _told(response, *await intents.stop(session_id_of(session_id), wanted or StopIn()))

    return routes


def _told(response: Response, intent: Intent, ended: Result | None) -> IntentOut:
    response.headers["Location"] = f"/v1/commands/{intent.command_id}"
    response.status_code = 202 if ended is None else 200
    return _intent_out(intent, ended)


def _intent_out(started: Intent, ended: Result | None = None) -> IntentOut:
    """Return an intent as callers see it."""
    return IntentOut(
        command_id=started.command_id,
        station_id=started.station_id,
        remote_start_id=started.remote_start_id,
        session_id=started.session_id,
        outcome=ended.outcome if ended else None,
        status=ended.status or None if ended else None,
        reason=ended.reason or None if ended else None,
    )
