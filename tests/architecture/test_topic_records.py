"""A topic and its records are declared once, in chargebus_events: no service declares them again."""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from chargebus_events.topics import TOPICS

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "libs" / "events" / "chargebus_events"
EVENT_TYPE = re.compile(r"chargebus(\.[a-z_]+)+\.v\d+")


def modules(*patterns: str) -> list[Path]:
    """Return the modules of packages, without tests and generated folders."""
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return [path for path in found if "tests" not in path.relative_to(ROOT).parts]


@lru_cache(maxsize=1)
def nodes(source: str) -> list[ast.AST]:
    return [*ast.walk(ast.parse(source))]


def literals(source: str) -> Iterator[str]:
    for node in nodes(source):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def structs(source: str) -> set[str]:
    """Return the names of the msgspec structs that a module declares."""
    return {
        node.name
        for node in nodes(source)
        if isinstance(node, ast.ClassDef) and any("Struct" in ast.unparse(base) for base in node.bases)
    }


DECLARED_RECORDS = {name for path in EVENTS.glob("*.py") for name in structs(path.read_text())}


def redeclarations(source: str, room: str = "handlers") -> list[str]:
    """Return what a service's module declares although chargebus_events does (or should).

    A service's domain may have a `Session` of its own: its state, which never travels.
    """
    found = [f"the event type {text}" for text in literals(source) if EVENT_TYPE.fullmatch(text)]
    found += [f"the topic name {text}" for text in literals(source) if text in TOPICS]
    if room != "domain":
        found += [f"the record {name}" for name in sorted(structs(source) & DECLARED_RECORDS)]
    return found


SERVICE_MODULES = modules("services/*/chargebus_*/**/*.py")


def test_there_are_services_to_look_at():
    assert {path.relative_to(ROOT).parts[1] for path in SERVICE_MODULES} >= {"edge", "command", "device", "session"}
    assert {"Session", "CommandOutcome", "Presence"} <= DECLARED_RECORDS


@pytest.mark.parametrize("service", sorted({path.relative_to(ROOT).parts[1] for path in SERVICE_MODULES}))
def test_a_service_declares_no_topic_and_no_record_of_its_own(service):
    found = {}
    for path in SERVICE_MODULES:
        _, owner, _, *rooms = path.relative_to(ROOT).with_suffix("").parts
        if owner == service:
            found[str(path)] = redeclarations(path.read_text(), "domain" if "domain" in rooms else rooms[0])

    assert {path: redeclared for path, redeclared in found.items() if redeclared} == {}
    assert found


def test_each_event_type_is_declared_by_one_module():
    declared: dict[str, list[str]] = {}
    for path in modules("libs/*/chargebus_*/**/*.py"):
        for text in literals(path.read_text()):
            if EVENT_TYPE.fullmatch(text):
                declared.setdefault(text, []).append(str(path.relative_to(ROOT)))

    assert {text: places for text, places in declared.items() if len(places) > 1} == {}


@pytest.mark.parametrize(
    "planted",
    [
        'SESSION_STARTED = "chargebus.session.started.v1"',
        'TOPIC = "session.events"',
        "class CommandOutcome(msgspec.Struct):\n    command_id: str",
    ],
)
def test_a_planted_second_declaration_is_found(planted):
    assert len(redeclarations(planted)) == 1
