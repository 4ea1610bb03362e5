"""`make service NAME=roaming`: a service that starts, to be filled: `python -m chargebus_cli.new_service roaming`.

It makes services/<name> out of `service_template`, declares the service in chargebus_events.services, and writes what
follows from the declaration anew. Deleting the folder and the row (or saying `planned=True` again in it), and then
`make generate contract`, takes it away.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

from chargebus_events.services import SERVICES, DeclaredService, dashed, underscored
from chargebus_ocppj.actions import ACTIONS, Action

from chargebus_cli.errors import CommandError
from chargebus_cli.generate import ROOT
from chargebus_cli.say import complain, say

TEMPLATE: Final = Path(__file__).with_name("service_template")
DECLARATION: Final = Path("libs/events/chargebus_events/services.py")

_NAME: Final = re.compile(r"[a-z]+(_[a-z]+)*")
_ABOUT: Final = "say here in a few words what it is there for"
# What differs between a service that owns actions of stations and one that reads what others tell.
_WITH_FRAMES: Final = {
    "consumer imports": "from chargebus_calls import Frames, consumer",
    "more imports": "from chargebus_@name@.block import Hearings\nfrom chargebus_@name@.routes import ROUTES\n",
    "more dependencies": "",
    "consumer": 'Frames("@host@", ROUTES, [Hearings(metrics)], process.clock)',
}
_WITH_TOPIC: Final = {
    "consumer imports": (
        "from chargebus_calls import Topic, consumer, tell_nobody\nfrom chargebus_events.topics import STATION_EVENTS"
    ),
    "more imports": "from chargebus_@name@.handlers import StationEvents\n",
    "more dependencies": '    "msgspec",\n',
    "consumer": "Topic(STATION_EVENTS, StationEvents(metrics).handle, tell_nobody)",
}
_WITH_BOTH: Final = _WITH_TOPIC | {
    "consumer imports": _WITH_TOPIC["consumer imports"].replace("import Topic", "import Frames, Topic"),
    "consumer": (
        f'\n            Frames("@host@", {{}}, [], process.clock),\n            {_WITH_TOPIC["consumer"]},\n        '
    ),
}
"""Of whose actions the edge answers none: until there are rows, their calls are answered as not supported."""


def declared(name: str) -> DeclaredService:
    """Return the declaration of a new service; one that was planned keeps what was said of it.

    Raises:
        CommandError: the name cannot be a service's.
    """
    name = underscored(name)
    if not _NAME.fullmatch(name):
        raise CommandError(f"{name!r} is no name of a service: words in lower case, such as smart_charging")
    known = next((service for service in SERVICES if service.name == name), None)
    if known is not None and not known.planned:
        raise CommandError(f"there is a service {name} already")
    if (ROOT / "libs" / name).exists() or (ROOT / "services" / name).exists():
        raise CommandError(f"there is a folder {name} already, in libs or services")
    return replace(
        known or DeclaredService(name=name, about=_ABOUT), planned=False, parks=True, paths=(f"/v1/{dashed(name)}",)
    )


def make(service: DeclaredService, root: Path) -> None:
    """Make the service's folder and declare it, in a checkout."""
    folder = root / "services" / service.name
    action = _example(service)
    shutil.copytree(TEMPLATE, folder, ignore=shutil.ignore_patterns("with_*"))
    variant = TEMPLATE / ("with_topic" if action is None else "with_frames")
    shutil.copytree(variant, folder, dirs_exist_ok=True)
    words = _words(service, action)
    for file in sorted(folder.rglob("*.txt")):
        text = _filled(file.read_text(encoding="utf-8"), words)
        file.with_name(_filled(file.name, words).removesuffix(".txt")).write_text(text, encoding="utf-8")
        file.unlink()
    (folder / "package").rename(folder / service.package)
    declare(service, root / DECLARATION)


def _example(service: DeclaredService) -> Action | None:
    """Return an action that the service owns: one that the edge answers, if there is one."""
    own = [action for action in ACTIONS if action.initiator == "station" and action.service == service.host]
    return next((action for action in own if action.answered_by == "edge"), None)


def _words(service: DeclaredService, action: Action | None) -> dict[str, str]:
    title = "".join(word.capitalize() for word in service.name.split("_"))
    routes = (
        "" if action is None else "\n".join(f'    ("{each}", "{action.name}"): _HEARD,' for each in action.versions)
    )
    about = service.about[:1].upper() + service.about[1:]
    return {
        **_variant(service, action),
        "routes": routes,
        "action": action.name if action else "",
        "version": action.versions[0] if action else "",
        "name": service.name,
        "host": service.host,
        "Name": title,
        "NAME": service.name.upper(),
        "About": about,
    }


def _variant(service: DeclaredService, action: Action | None) -> dict[str, str]:
    if action is not None:
        return _WITH_FRAMES
    return _WITH_BOTH if service.frames else _WITH_TOPIC


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def declare(service: DeclaredService, file: Path) -> None:
    """Write the service's row where it belongs in the order of names, in the place of one that was planned."""
    source = file.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    known = rows(source)
    after = next((first for name, (first, _) in known.items() if name > service.name), max(known.values())[1])
    start, end = known.get(service.name, (after, after))
    lines[start:end] = _row(service)
    file.write_text("".join(lines), encoding="utf-8")


def rows(source: str) -> dict[str, tuple[int, int]]:
    """Return the lines of each row of SERVICES, as a slice, by name."""
    (table,) = (
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["SERVICES"]
    )
    found = [row for row in ast.walk(table) if isinstance(row, ast.Call) and ast.unparse(row.func) == "DeclaredService"]
    names = [ast.literal_eval(next(each.value for each in row.keywords if each.arg == "name")) for row in found]
    return {name: (row.lineno - 1, row.end_lineno or 0) for name, row in zip(names, found, strict=True)}


def _row(service: DeclaredService) -> Iterator[str]:
    yield "    DeclaredService(\n"
    for field in fields(DeclaredService):
        value = getattr(service, field.name)
        if value != field.default:
            yield f"        {field.name}={_literal(value)},\n"
    yield "    ),\n"


def _literal(value: object) -> str:
    return repr(value).replace("'", '"')


def finish(service: DeclaredService, root: Path) -> None:
    """Put the new code into its format, and write what follows from the declaration; in processes that read it anew."""
    folder = str(root / "services" / service.name)
    for command in (
        ["ruff", "check", "--quiet", "--fix", "--select", "I", folder],
        ["ruff", "format", "--quiet", folder],
        ["chargebus_cli.generate"],
        ["chargebus_cli.asyncapi"],
    ):
        subprocess.run([sys.executable, "-m", *command], cwd=root, check=True)


def main(arguments: Sequence[str]) -> int:
    """Make the service that the argument names."""
    try:
        (name,) = arguments or [""]
        service = declared(name)
    except (CommandError, ValueError) as error:
        complain(str(error))
        return 1
    make(service, ROOT)
    finish(service, ROOT)
    say(f"Made services/{service.name}. Say in {DECLARATION} what it is about; CONTRIBUTING.md says how to go on.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
