"""Owns what comes in over HTTP: API keys."""

from datetime import UTC, datetime
from typing import Annotated

from chargebus_events.access import ApiKey, RoleName, revoked
from chargebus_runtime import secrets
from chargebus_runtime.clock import Clock
from chargebus_runtime.database import Database
from chargebus_runtime.http import Page, PageQuery, page
from chargebus_runtime.keys import Role, require
from chargebus_runtime.problems import Problem
from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, Field

from chargebus_access import store
from chargebus_access.domain import LastAdminKeyError, Wish, check_revocable, make_key
from chargebus_access.keeper import random_key_id
from chargebus_access.metrics import AccessMetrics


class KeyIn(BaseModel):
    """A key to make."""

    name: str = Field(min_length=1, max_length=100, description="Who or what uses it")
    role: RoleName = Field(description="viewer reads, operator acts on stations, admin manages keys and policies")
    expires_at: AwareDatetime | None = Field(default=None, description="When it stops working; never, if absent")


class KeyOut(BaseModel):
    """A key without its secret."""

    key_id: str
    name: str
    role: RoleName
    created_at: datetime
    expires_at: datetime | None


class KeyCreated(KeyOut):
    """A new key; `key` is shown this once and kept nowhere."""

    key: str


def router(database: Database, clock: Clock) -> APIRouter:
    """Return the routes of this service."""
    routes = APIRouter(prefix="/api-keys", tags=["access"], dependencies=[Depends(require(Role.ADMIN))])
    metrics = AccessMetrics()

    @routes.get("", summary="List API keys")
    async def list_keys(paging: Annotated[PageQuery, Depends()]) -> Page[KeyOut]:
        found = page(
            await store.page(database.pool, paging.cursor or "", paging.limit + 1),
            paging.limit,
            lambda key: key.key_id,
        )
        return Page(items=[_shown(key) for key in found.items], next=found.next)

    @routes.post("", status_code=201, summary="Make an API key; its secret is shown this once")
    async def create_key(wanted: KeyIn) -> KeyCreated:
        if wanted.expires_at is not None and wanted.expires_at <= clock():
            raise Problem(422, "already expired", "expires_at must be in the future.")
        expires_at = wanted.expires_at.astimezone(UTC) if wanted.expires_at else None
        wish = Wish(wanted.name, wanted.role, expires_at)
        async with database.transaction() as transaction:
            made = make_key(wish, random_key_id(), secrets.generate_password(), transaction.now)
            await store.add(transaction.connection, made.key)
            transaction.send(made.key.record())
        metrics.created.add(1, {"role": wanted.role})
        return KeyCreated(key=made.presented, **_shown(made.key).model_dump())

    @routes.delete("/{key_id}", status_code=204, summary="Revoke an API key: every service refuses it at once")
    async def revoke_key(key_id: str) -> Response:
        async with database.transaction() as transaction:
            admins = await store.lock_admins(transaction.connection)
            key = await store.lock(transaction.connection, key_id)
            if key is None:
                raise Problem(404, "no such API key", f"There is no API key with the id {key_id}.")
            try:
                check_revocable(key, admins, transaction.now)
            except LastAdminKeyError as error:
                raise Problem(409, "last admin key", "Make another admin key before you revoke this one.") from error
            await store.remove(transaction.connection, key_id)
            transaction.send(revoked(key_id))
        metrics.revoked.add(1, {"role": key.role})
        return Response(status_code=204)

    return routes


def _shown(key: ApiKey) -> KeyOut:
    return KeyOut(key_id=key.key_id, name=key.name, role=key.role, created_at=key.created_at, expires_at=key.expires_at)
