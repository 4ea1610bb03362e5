"""HTTP in: API keys are listed, created and revoked by administrators."""

from typing import Annotated, Final, Literal

from chargebus_runtime.http import Caller, Listing, Page, PageQuery, Problem, Role, raises, require
from fastapi import APIRouter, Depends, Path, Query

from chargebus_access.domain.keys import WantedKey
from chargebus_access.errors import AccessError, ExpiredAlreadyError, KeyIdTakenError, LastAdminError, UnknownKeyError
from chargebus_access.operations import KeyOperations
from chargebus_access.resources import ApiKeyCreated, ApiKeyIn, ApiKeyOut, view

ADMIN: Final = Depends(require(Role.ADMIN))

KEYS: Final = Listing("api-keys", str)

KeyId = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")]

_PROBLEMS: Final[dict[type[AccessError], tuple[int, str]]] = {
    ExpiredAlreadyError: (422, "expired already"),
    KeyIdTakenError: (503, "key id taken"),
    LastAdminError: (409, "the last admin key"),
    UnknownKeyError: (404, "no such API key"),
}


def router(operations: KeyOperations) -> APIRouter:
    """Return the routes of this service."""
    routes = APIRouter(prefix="/api-keys", tags=["API keys"])

    @routes.get("", summary="List API keys", dependencies=[ADMIN])
    async def list_keys(
        paging: Annotated[PageQuery, Depends()],
        state: Annotated[Literal["active", "revoked", "all"], Query()] = "active",
    ) -> Page[ApiKeyOut]:
        stored = await operations.page(state, KEYS.after(paging) or "", paging.limit + 1)
        return KEYS.page([view(each) for each in stored], paging.limit, lambda key: key.key_id)

    @routes.post("", summary="Create an API key", status_code=201)
    async def create_key(wanted: ApiKeyIn, caller: Annotated[Caller, ADMIN]) -> ApiKeyCreated:
        """The key itself is in this answer only. It works as soon as every process has read it: in a moment."""
        try:
            made = await operations.create(WantedKey(wanted.name, wanted.role, wanted.expires_at, caller.key_id))
        except AccessError as error:
            raise _problem(error) from error
        return ApiKeyCreated(**view(made.stored).model_dump(), key=made.presented)

    @routes.delete(
        "/{key_id}",
        summary="Revoke an API key",
        status_code=204,
        dependencies=[ADMIN],
        responses=raises(404, 409),
    )
    async def revoke_key(key_id: KeyId) -> None:
        """It stops working as soon as every process has read so: in a moment. The last admin key stays: 409."""
        try:
            await operations.revoke(key_id)
        except AccessError as error:
            raise _problem(error) from error

    return routes


def _problem(error: AccessError) -> Problem:
    status, title = _PROBLEMS[type(error)]
    return Problem(status, title, str(error))
