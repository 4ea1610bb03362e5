"""The JSON Schema of each public event, made from its type: `make contract` writes the files.

The files are the contract in git: a change of a type shows as a change of its schema.
"""

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from chargebus_events.public import PUBLIC

FOLDER = Path(__file__).parent.parent / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a public event's value; `kind` is its CloudEvents type.

    Raises:
        KeyError: there is no such public event.
    """
    return {"$schema": DIALECT, "title": kind, **schema_of_type(PUBLIC[kind])}


def schema_of_type(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a record's value: `$ref` to its definition, `$defs` with each docstring as text."""
    schema = msgspec.json.schema(struct)
    for definition in schema["$defs"].values():
        paragraphs = inspect.cleandoc(definition["description"]).split("\n\n")
        definition["description"] = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    return schema


def path_of(kind: str) -> Path:
    """Return the file of a public event's schema."""
    return FOLDER / f"{kind}.json"


def render(kind: str) -> str:
    """Return what the file of a public event's schema must hold."""
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write the files of all public events, and remove those of events that are no more."""
    FOLDER.mkdir(exist_ok=True)
    for stale in set(FOLDER.glob("*.json")) - {path_of(kind) for kind in PUBLIC}:
        stale.unlink()
    for kind in PUBLIC:
        path_of(kind).write_text(render(kind), encoding="utf-8")


if __name__ == "__main__":
    write()
