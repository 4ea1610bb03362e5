"""What the tables of all subjects have in common; each subject declares its own in `store/tables.py`."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

# Compared byte by byte: the order of pages and of locks is the same on every server.
ID: Final[Any] = sa.String(collation="C")
TIME: Final[Any] = sa.DateTime(timezone=True)
BIG: Final[Any] = sa.BigInteger


class Tables(SQLModel, registry=registry()):
    """This service's tables: `Tables.metadata` holds no other service's, in whatever process they run together."""
