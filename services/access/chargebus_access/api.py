"""HTTP in: API keys are listed, created and revoked by administrators."""

import re
from dataclasses import replace
from typing import Annotated, Final, Literal

from chargebus_events.access import revoked
from chargebus_runtime.database import Database
from chargebus_runtime.http import Page, PageQuery, Problem, page
from chargebus_runtime.keys import Caller, Role, require
from fastapi import APIRouter, Depends, Path, Query

from chargebus_access import store
from chargebus_access.domain import StoredKey, is_last_admin
from chargebus_access.making import make_key
from chargebus_access.metrics import AccessMetrics
from chargebus_access.resources import ApiKeyCreated, ApiKeyIn, ApiKeyOut, view

ADMIN: Final = Depends(require(Role.ADMIN))

_KEY_ID: Final = r"^[A-Za-z0-9-]{1,64}$"

KeyId = Annotated[str, Path(pattern=_KEY_ID)]


def router(database: Database, metrics: AccessMetrics) -> APIRouter:
    """Return the routes of this service."""
    routes = APIRouter(prefix="/api-keys", tags=["API keys"])

    @routes.get("", summary="List API keys", dependencies=[ADMIN])
    async def list_keys(
        paging: Annotated[PageQuery, Depends()],
        state: Annotated[Literal["active", "revoked", "all"], Query()] = "active",
    ) -> Page[ApiKeyOut]:
        if paging.cursor is not None and not re.match(_KEY_ID, paging.cursor):
            raise Problem(422, "invalid request", "The cursor is not one that this list gave: take `next` as it is.")
        async with database.pool.acquire() as connection:
            stored = await store.page(connection, state, paging.cursor or "", paging.limit + 1)
        return page([view(each) for each in stored], paging.limit, lambda key: key.key_id)

    @routes.post("", summary="Create an API key", status_code=201)
    async def create_key(wanted: ApiKeyIn, caller: Annotated[Caller, ADMIN]) -> ApiKeyCreated:
        """The key itself is in this answer only. It works as soon as every process has read it: in a moment."""
        async with database.transaction() as tx:
            if wanted.expires_at is not None and wanted.expires_at <= tx.now:
                raise Problem(422, "invalid request", "expires_at has passed already; give a time to come, or none.")
            made = make_key(wanted.name, wanted.role, wanted.expires_at, tx.now)
            if not await store.insert(tx.connection, made.key, caller.key_id):
                raise Problem(503, "key id taken", "By chance the new key's id was taken; try again.")
            tx.send(made.key.record())
        metrics.created.add(1, {"role": wanted.role})
        shown = view(StoredKey(made.key, caller.key_id))
        return ApiKeyCreated(**shown.model_dump(), key=made.presented)

    @routes.delete("/{key_id}", summary="Revoke an API key", status_code=204, dependencies=[ADMIN])
    async def revoke_key(key_id: KeyId) -> None:
        """It stops working as soon as every process has read so: in a moment. The last admin key stays: 409."""
        async with database.transaction() as tx:
            keys = await store.lock(tx.connection)
            stored = keys.get(key_id)
            if stored is None:
                raise Problem(404, "no such API key", f"There is no API key {key_id!r}.")
            if stored.revoked_at is not None:
                return
            if is_last_admin(key_id, keys.values(), tx.now):
                raise Problem(
                    409, "the last admin key", "Nobody could manage API keys; create another admin key first."
                )
            await store.revoke(tx.connection, replace(stored, revoked_at=tx.now))
            tx.send(revoked(key_id))
        metrics.revoked.add(1, {"role": stored.key.role})

    return routes
