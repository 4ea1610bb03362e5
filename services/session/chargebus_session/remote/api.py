"""HTTP in: remote starts and stops."""

from typing import Annotated, Final

from chargebus_commanding import Asked, KeyReusedError, Outcome
from chargebus_commanding.http import tell
from chargebus_runtime.http import IdempotencyKey, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Response

from chargebus_session.remote.domain import START
from chargebus_session.remote.errors import (
    EvseReservedError,
    NoSessionError,
    RemoteError,
    SessionEndedError,
    TokenInUseError,
    TokenRefusedError,
)
from chargebus_session.remote.operations import Patience, RemoteControl, StartWanted
from chargebus_session.remote.resources import IntentOut, StartIn, StatusInfoOut, StopIn, Waiting
from chargebus_session.transactions.api import session_id_of

OPERATOR: Final = Depends(require(Role.OPERATOR))

_ON_ITS_WAY: Final[dict[int | str, dict[str, object]]] = {
    202: {"model": IntentOut, "description": "On its way; the command is at Location"}
}
_PROBLEMS: Final[dict[type[Exception], tuple[int, str]]] = {
    TokenInUseError: (409, "token in use"),
    EvseReservedError: (409, "EVSE reserved"),
    NoSessionError: (404, "no such session"),
    SessionEndedError: (409, "session ended"),
    KeyReusedError: (422, "the idempotency key was used before"),
}
_UNKNOWN: Final = "Unknown"


def router(control: RemoteControl, usual_ttl_s: float) -> APIRouter:
    """Return the routes of remote starts and stops; `usual_ttl_s` is how long one waits for its station."""
    routes = APIRouter(dependencies=[OPERATOR])

    def patience(wanted: Waiting, key: str | None) -> Patience:
        ttl_s = usual_ttl_s if wanted.ttl_s is None else wanted.ttl_s
        return Patience(wanted.timeout_s, ttl_s, wanted.wait, key)

    @routes.post(
        "/stations/{station_id}/evses/{evse_id}/start",
        summary="Start charging for a token",
        tags=["stations"],
        responses=_ON_ITS_WAY | raises(409),
    )
    async def start(
        station_id: str,
        evse_id: Annotated[int, Path(ge=1, lt=2**31)],
        wanted: StartIn,
        response: Response,
        idempotency_key: IdempotencyKey = None,
    ) -> IntentOut:
        """On OCPP 1.6 the EVSE is the connector of that number.

        A station that there is not is told by the outcome: undeliverable.
        """
        try:
            begin = StartWanted(
                station_id,
                evse_id,
                wanted.id_token,
                None if wanted.charging_profile is None else wanted.charging_profile.profile(),
            )
            told = await control.start(begin, patience(wanted, idempotency_key))
        except (RemoteError, KeyReusedError) as error:
            raise _problem(error) from error
        return _told(response, *told)

    @routes.post(
        "/sessions/{session_id}/stop",
        summary="Stop a session",
        tags=["sessions"],
        responses=_ON_ITS_WAY | raises(404, 409),
    )
    async def stop(
        session_id: str, response: Response, wanted: StopIn | None = None, idempotency_key: IdempotencyKey = None
    ) -> IntentOut:
        try:
            told = await control.stop(session_id_of(session_id), patience(wanted or StopIn(), idempotency_key))
        except (RemoteError, KeyReusedError) as error:
            raise _problem(error) from error
        return _told(response, *told)

    return routes


def _problem(error: RemoteError | KeyReusedError) -> Problem:
    if isinstance(error, TokenRefusedError):
        status = 422 if error.status == _UNKNOWN else 409
        return Problem(status, f"token {error.status.lower()}", str(error))
    status, title = _PROBLEMS[type(error)]
    return Problem(status, title, str(error))


def _told(response: Response, asked: Asked, ended: Outcome | None) -> IntentOut:
    """Return a remote start or stop as callers see it."""
    tell(response, asked, ended)
    return IntentOut(
        command_id=asked.command_id,
        station_id=asked.station_id,
        remote_start_id=int(asked.subject) if asked.intent == START else None,
        session_id=None if asked.intent == START else asked.subject,
        outcome=ended.name if ended else None,
        status=ended.status or None if ended else None,
        status_info=_status_info(ended) if ended else None,
        broken=ended.broken if ended else False,
        reason=ended.why or None if ended else None,
    )


def _status_info(ended: Outcome) -> StatusInfoOut | None:
    if not ended.status_info:
        return None
    return StatusInfoOut(reason_code=ended.reason_code, additional_info=ended.additional_info)
