"""Writes the lists of services that other files need, from the one declaration: `python -m chargebus_cli.generate`.

A list stands between two comments, `generated: <what>` and `end`; all else in the file is its authors'.
With `--check` nothing is written, and the exit code is 1 where a list is not what the declaration says.
"""

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chargebus_events.services import HTTP_PORT, RUNNING, DeclaredService, pattern, routes
from chargebus_runtime.settings import ServiceSettings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ROOT: Final = Path(__file__).parents[3]

Lines = Callable[[Path], Iterator[str]]

_BLOCK: Final = re.compile(
    r"^(?P<open>(?P<indent> *)(?:#|<!--) generated: (?P<what>[a-z ]+?)(?: -->)?\n).*?(?P<close>^ *(?:#|<!--) end\b)",
    re.MULTILINE | re.DOTALL,
)


# Services of several subjects have a contract of their own in pyproject.toml.
WITH_SUBJECTS: Final = ("device", "edge", "firmware", "notification", "security", "session", "smart_charging")


class BlockError(ValueError):
    """A file lacks the comments around a list, or names a list that nobody makes."""


def stale(root: Path) -> dict[str, str]:
    """Return the files that are not as the declaration has them, each with the text that it should have.

    Raises:
        BlockError: a list cannot be written.
    """
    wanted = {name: rewritten(name, (root / name).read_text(encoding="utf-8"), root) for name in FILES}
    return {name: text for name, text in wanted.items() if text != (root / name).read_text(encoding="utf-8")}


def rewritten(name: str, text: str, root: Path) -> str:
    """Return a file's text with its lists made anew."""
    makers, found = FILES[name], set()

    def make(block: re.Match[str]) -> str:
        what = block["what"]
        if what not in makers:
            raise BlockError(f"{name}: nobody makes the list {what!r}; there are: {', '.join(makers)}")
        found.add(what)
        lines = (f"{block['indent']}{line}".rstrip() for line in makers[what](root))
        return block["open"] + "".join(f"{line}\n" for line in lines) + block["close"]

    text = _BLOCK.sub(make, text)
    if missing := makers.keys() - found:
        raise BlockError(f"{name}: no comments `generated: {min(missing)}` and `end` around that list")
    return text


def _packages(root: Path) -> Iterator[str]:
    """Yield the packages of all libraries and services, as members of a TOML list."""
    libraries = (path.name for path in root.glob("libs/*/chargebus_*"))
    yield from _quoted(sorted([*libraries, *(service.package for service in RUNNING)]))


def _packages_without_ocpp(root: Path) -> Iterator[str]:
    return (line for line in _packages(root) if line != '"chargebus_ocppj",')


def _service_packages(_root: Path) -> Iterator[str]:
    yield from _quoted(service.package for service in RUNNING)


def _service_layer(_root: Path) -> Iterator[str]:
    yield f'"{" | ".join(service.package for service in RUNNING)}",'


def _quoted(names: Iterator[str] | Sequence[str]) -> Iterator[str]:
    return (f'"{name}",' for name in names)


def _floor_plan(_root: Path) -> Iterator[str]:
    yield from _quoted(service.package for service in RUNNING if service.name not in WITH_SUBJECTS)


def _with_database(_root: Path) -> Iterator[str]:
    yield f"SERVICE: {' '.join(service.name for service in RUNNING if service.database)}"


def _containers(_root: Path) -> Iterator[str]:
    for number, service in enumerate(RUNNING):
        if number:
            yield ""
        yield from _container(service)


def _container(service: DeclaredService) -> Iterator[str]:
    yield f"{service.host}:"
    yield "  <<: *service"
    yield "  build:"
    yield "    <<: *build"
    yield "    args:"
    yield f"      SERVICE: {service.name}"
    if service.settings:
        yield "  environment:"
        yield "    <<: *environment"
    for setting in service.settings:
        yield f"    # {setting.why}"
        yield f'    {setting.name}: "{setting.value}"'
    if service.stations_port:
        yield "  ports:"
        yield f'    - "127.0.0.1:{service.stations_port}:{service.stations_port}"'
    if service.volume:
        yield "  volumes:"
        yield f"    - {service.host}:/var/lib/chargebus"


def _behind_the_gateway(_root: Path) -> Iterator[str]:
    yield f"depends_on: [{', '.join(service.host for service in RUNNING)}]"


def _volumes(_root: Path) -> Iterator[str]:
    return (f"{service.host}:" for service in RUNNING if service.volume)


def _upstreams(_root: Path) -> Iterator[str]:
    for service in RUNNING:
        if service.stations_path:
            yield f"{f'~^{service.stations_path}/':<55} {service.host}:{service.stations_port};"
    for path, service in routes():
        yield f"{f'~{pattern(path)}':<55} {service.host}:{HTTP_PORT};"


def _paths(_root: Path) -> Iterator[str]:
    yield "| service | paths | what |"
    yield "|---|---|---|"
    for service in RUNNING:
        paths = (*service.paths, *((f"{service.stations_path}/{{}}",) if service.stations_path else ()))
        shown = ", ".join(f"`{path.replace('{}', '…')}`" for path in paths)
        yield f"| {service.host} | {shown} | {service.about} |"


def _settings(root: Path) -> Iterator[str]:
    """Yield the tables of those services whose settings say of each what it is (`description`)."""
    for service in RUNNING:
        described = dict(_described(service, root))
        if not described:
            continue
        yield f"### {service.host}"
        yield ""
        yield "| variable | default | what |"
        yield "|---|---|---|"
        for variable, field in described.items():
            value = field.get_default(call_default_factory=True, validated_data={})
            default = "" if value is None else f"`{_shown(value)}`"
            yield f"| `{variable}` | {default} | {field.description} |"
        yield ""


def _described(service: DeclaredService, root: Path) -> Iterator[tuple[str, "FieldInfo"]]:
    """Yield the settings of a service that are described, by their variables."""
    folder = root / "services" / service.name
    if not (folder / service.package / "settings.py").exists():
        return
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # one that was made a moment ago is not installed yet
    module = importlib.import_module(f"{service.package}.settings")
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, ServiceSettings) and kind.__module__ == module.__name__:
            for name, field in kind.model_fields.items():
                if field.description:
                    yield f"{kind.model_config.get('env_prefix', '')}{name}".upper(), field


def _shown(default: object) -> object:
    return int(default) if isinstance(default, float) and default.is_integer() else default


FILES: Final[Mapping[str, Mapping[str, Lines]]] = {
    "pyproject.toml": {
        "packages": _packages,
        "packages but ocppj": _packages_without_ocpp,
        "floor plan": _floor_plan,
        "services": _service_packages,
        "services in one layer": _service_layer,
    },
    "docker-compose.yml": {
        "services with a database": _with_database,
        "services": _containers,
        "services behind the gateway": _behind_the_gateway,
        "volumes": _volumes,
    },
    "deploy/gateway.conf": {"paths": _upstreams},
    "docs/operations.md": {"paths": _paths, "settings": _settings},
}


def main(arguments: Sequence[str]) -> int:
    """Write the lists, or check them; tell what was, or is, stale."""
    wanted = stale(ROOT)
    if "--check" in arguments:
        for name in wanted:
            print(f"{name} is not what chargebus_events.services declares: run make generate")
        return 1 if wanted else 0
    for name, text in wanted.items():
        (ROOT / name).write_text(text, encoding="utf-8")
        print(f"written: {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
