"""The table of API keys."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

# Compared byte by byte: the order of pages and of locks is the same on every server.
_ID: Any = sa.String(collation="C")
_TIME: Any = sa.DateTime(timezone=True)


class Tables(SQLModel, registry=registry()):
    """This service's tables: `Tables.metadata` holds no other service's, in whatever process they run together."""


class ApiKeyRow(Tables, table=True):
    """An API key without its secret, and what became of it."""

    __tablename__ = "api_key"

    key_id: str = Field(primary_key=True, sa_type=_ID)
    name: str
    role: str
    secret_hash: str
    created_at: datetime = Field(sa_type=_TIME)
    created_by: str
    expires_at: datetime | None = Field(sa_type=_TIME)
    revoked_at: datetime | None = Field(sa_type=_TIME)
