"""A revision lets copies of the release before go on: it adds, and what it adds they need not know.

While services are replaced one by one, old copies read and write the new schema. What takes something away from them
waits for a later release, when no copy knows it any more, and is named below with the reason why it hurts nobody.
"""

import importlib.util
import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.migration import MigrationContext
from alembic.operations import Operations

FILES = sorted(Path(__file__).parents[2].glob("services/*/migrations/versions/0*.py"))

_BEFORE: Final = "from before there was a release: the service is stopped for it"
HURTS_NOBODY: Final[Mapping[str, str]] = {
    "command/0003": _BEFORE,
    "command/0005": _BEFORE,
    "command/0006": _BEFORE,
    "session/0002": _BEFORE,
    "session/0006": _BEFORE,
    "session/0008": _BEFORE,
    "session/0011": _BEFORE,
}
"""Revisions that take something away, or read rows, which this cannot follow; and why that hurts nobody."""

_ON_WHAT_IS_THERE: Final = {
    r"DROP TABLE": "a table is taken away",
    r"ALTER TABLE .* DROP COLUMN": "a column is taken away",
    r"ALTER TABLE .* DROP CONSTRAINT": "a constraint is taken away, by which copies may find conflicts",
    r"ALTER TABLE .* RENAME": "something is renamed",
    r"ALTER TABLE .* ALTER COLUMN .* SET NOT NULL": "a column must be given that need not be",
    r"ALTER TABLE .* ALTER COLUMN .* DROP DEFAULT": "a column must be given that need not be",
    r"ALTER TABLE .* ALTER COLUMN .* TYPE": "a column has another type",
    r"ALTER TABLE .* ADD COLUMN (?!.*\bDEFAULT\b).*\bNOT NULL\b": "a new column must be given, and has no default",
    r"ALTER TABLE .* ADD (CONSTRAINT|UNIQUE|CHECK|PRIMARY KEY|FOREIGN KEY)": "rows are refused that were taken",
    r"CREATE UNIQUE INDEX .* ON": "rows are refused that were taken",
}


def statements(upgrade: Callable[[], None]) -> Iterator[str]:
    """Return the SQL of a revision, each statement in one line."""
    written = io.StringIO()
    options: dict[str, Any] = {"as_sql": True, "output_buffer": written, "literal_binds": True}
    with Operations.context(MigrationContext.configure(dialect_name="postgresql", opts=options)):
        upgrade()
    for statement in written.getvalue().split(";\n"):
        yield " ".join(statement.split())


def objections(upgrade: Callable[[], None]) -> list[str]:
    """Tell what a revision takes away from copies of the release before; tables that it makes are its own."""
    found, own = [], set()
    for statement in statements(upgrade):
        made = re.match(r'CREATE TABLE (?:IF NOT EXISTS )?"?(\w+)', statement, re.IGNORECASE)
        if made is not None:
            own.add(made[1])
        for pattern, why in _ON_WHAT_IS_THERE.items():
            about = re.search(pattern, statement, re.IGNORECASE)
            table = re.search(r'(?:TABLE|\bON)(?: ONLY| IF EXISTS)* "?(\w+)', statement, re.IGNORECASE)
            if about is not None and (table is None or table[1] not in own):
                found.append(f"{why}: {statement}")
    return found


def name(file: Path) -> str:
    return f"{file.parts[-4]}/{file.name[:4]}"


@pytest.mark.parametrize("file", [file for file in FILES if name(file) not in HURTS_NOBODY], ids=name)
def test_a_revision_lets_copies_of_the_release_before_go_on(file: Path) -> None:
    spec = importlib.util.spec_from_file_location(f"revision_{name(file).replace('/', '_')}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert objections(module.upgrade) == []


@pytest.mark.parametrize(
    "upgrade",
    [
        lambda: op.drop_table("token"),
        lambda: op.drop_column("token", "note"),
        lambda: op.rename_table("token", "card"),
        lambda: op.alter_column("token", "note", new_column_name="remark"),
        lambda: op.alter_column("token", "note", nullable=False),
        lambda: op.alter_column("token", "note", type_=sa.Integer),
        lambda: op.alter_column("token", "note", server_default=None),
        lambda: op.add_column("token", sa.Column("issuer", sa.String, nullable=False)),
        lambda: op.create_index("token_issuer", "token", ["issuer"], unique=True),
        lambda: op.create_unique_constraint("token_issuer", "token", ["issuer"]),
        lambda: op.create_check_constraint("token_issuer", "token", "issuer <> ''"),
        lambda: op.drop_constraint("token_pkey", "token"),
        lambda: op.execute("alter table token\n    rename column note to remark"),
        lambda: op.execute("ALTER TABLE token ADD COLUMN issuer text NOT NULL"),
    ],
)
def test_what_takes_something_away_is_refused(upgrade: Callable[[], None]) -> None:
    assert len(objections(upgrade)) == 1


def test_what_adds_is_not() -> None:
    def upgrade() -> None:
        op.create_table("issuer", sa.Column("name", sa.String, primary_key=True))
        op.create_index("issuer_name", "issuer", ["name"], unique=True)
        op.alter_column("issuer", "name", new_column_name="title")
        op.add_column("token", sa.Column("issuer", sa.String))
        op.add_column("token", sa.Column("origin", sa.String, nullable=False, server_default=""))
        op.create_index("token_issuer", "token", ["issuer"])
        op.alter_column("token", "note", nullable=True)
        op.execute("UPDATE token SET issuer = ''")

    assert objections(upgrade) == []
