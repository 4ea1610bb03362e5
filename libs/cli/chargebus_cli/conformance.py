"""The table of the Open Charge Alliance's cases, out of the tests that play them.

`python -m chargebus_cli.conformance` writes it.

`tests/conformance/cases.csv` names each case, and the service that owns most of it. A test says which it plays, and
what it leaves out of them:

    @pytest.mark.case("TC_B_06", "TC_B_07")
    @pytest.mark.case("TC_B_12", lacks="what is reported is not kept")

They are found in the tests' text, so that nothing of a service is imported. With `--check` nothing is written, and the
exit code is 1 where the table is not what the tests say.
"""

import ast
import csv
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, Literal

ROOT: Final = Path(__file__).parents[3]
CASES: Final = Path("tests/conformance/cases.csv")
DOCUMENT: Final = Path("docs/conformance.md")
TESTS: Final = ("tests/**/test_*.py", "services/*/tests/test_*.py")

Standing = Literal["passes", "partly", "not yet"]
_CASE: Final = re.compile("TC_[A-Z0-9_]+")
STANDINGS: Final[tuple[Standing, ...]] = ("passes", "partly", "not yet")

_ABOUT: Final = """\
# Conformance

What Chargebus does of the cases for CSMSs that the Open Charge Alliance's test tool has. `make generate` writes this
from what the tests say of themselves (`@pytest.mark.case`), and `make check` holds it; the cases stand in
`tests/conformance/cases.csv`.

- **passes**: a test plays the case over a real socket, through a real broker and database, and fails where the
  feature is broken.
- **partly**: a test plays some of it; beside it stands what is missing.
- **not yet**: no test plays it; beside it stands the service that will own it.

These are tests of our own, by the cases' names and what the specification asks. No certificate follows from them.
The list of 2.1 has only what 2.1 adds; tests of 2.0.1's cases are played in 2.1 too where the versions differ."""

_BLOCKS: Final = {
    "A": "Security",
    "B": "Provisioning",
    "C": "Authorization",
    "D": "Local authorization list",
    "E": "Transactions",
    "F": "Remote control",
    "G": "Availability",
    "H": "Reservation",
    "I": "Tariff and cost",
    "J": "Metering",
    "K": "Smart charging",
    "L": "Firmware",
    "M": "ISO 15118 certificates",
    "N": "Diagnostics",
    "O": "Display message",
    "P": "Data transfer",
    "Q": "Bidirectional power transfer",
    "R": "DER control",
    "S": "Battery swap",
}


class MarkError(ValueError):
    """A test's mark names no case, or none that there is."""


@dataclass(frozen=True)
class Case:
    """One case of the list of a version."""

    version: str
    case: str
    title: str
    service: str

    @property
    def block(self) -> str:
        """The letter of its functional block, empty in OCPP 1.6."""
        _, block, *rest = self.case.split("_")
        return block if rest and block.isalpha() else ""


@dataclass(frozen=True)
class Played:
    """One test that plays a case; `lacks` says what it leaves out, if anything."""

    case: str
    file: Path
    test: str
    lacks: str = ""


def read_cases(root: Path) -> tuple[Case, ...]:
    """Return all cases, in the order of their lists."""
    with (root / CASES).open(encoding="utf-8", newline="") as file:
        return tuple(Case(**row) for row in csv.DictReader(file))


def read_tests(root: Path) -> Iterator[Played]:
    """Yield what tests say that they play, in the order of files and lines.

    Raises:
        MarkError: a mark holds anything but texts.
    """
    for path in sorted({path for pattern in TESTS for path in root.glob(pattern)}):
        text = path.read_text(encoding="utf-8")
        if "mark.case(" in text:
            yield from marks(path.relative_to(root), text)


def marks(file: Path, text: str) -> Iterator[Played]:
    """Yield what the tests of one file say that they play.

    Raises:
        MarkError: a mark holds anything but texts, or a test is named after a case or has it as an argument, and has no
            mark of it.
    """
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
            continue
        calls = (part for each in node.decorator_list for part in ast.walk(each) if isinstance(part, ast.Call))
        found = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "case"]
        if "TC_" in node.name and not found:
            message = f"{file}: {node.name} is named after a case, and has no pytest.mark.case"
            raise MarkError(message)
        played = [Played(name, file, node.name, lacks) for mark in found for name, lacks in _said(mark, file)]
        if unmarked := _mentioned(node) - {each.case for each in played}:
            message = f"{file}: {node.name} has {min(unmarked)} as an argument, and no pytest.mark.case of it"
            raise MarkError(message)
        yield from played


def _mentioned(test: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    parts = (part for each in test.decorator_list for part in ast.walk(each) if isinstance(part, ast.Constant))
    return {part.value for part in parts if isinstance(part.value, str) and _CASE.fullmatch(part.value)}


def _said(mark: ast.Call, file: Path) -> Iterator[tuple[str, str]]:
    lacks = "".join(_text(keyword.value, file) for keyword in mark.keywords if keyword.arg == "lacks")
    return ((_text(argument, file), lacks) for argument in mark.args)


def _text(node: ast.expr, file: Path) -> str:
    value = ast.literal_eval(node) if isinstance(node, ast.Constant) else None
    if isinstance(value, str) and value:
        return value
    message = f"{file}:{node.lineno}: pytest.mark.case takes texts as they stand"
    raise MarkError(message)


def document(cases: Sequence[Case], tests: Iterable[Played]) -> str:
    """Return the text of the document.

    Raises:
        MarkError: a test plays a case that there is not.
    """
    playing: dict[str, list[Played]] = {case.case: [] for case in cases}
    for played in tests:
        if played.case not in playing:
            message = f"{played.file}: {played.test} plays {played.case}, which is none of {CASES}"
            raise MarkError(message)
        playing[played.case].append(played)
    return "\n".join(_lines(cases, playing)) + "\n"


def _lines(cases: Sequence[Case], playing: Mapping[str, Sequence[Played]]) -> Iterator[str]:
    yield _ABOUT
    yield ""
    yield "| version | cases | passes | partly | not yet |"
    yield "|---|---|---|---|---|"
    versions = [(version, tuple(group)) for version, group in groupby(cases, lambda case: case.version)]
    for version, group in (*versions, ("all", tuple(cases))):
        counted = Counter(standing(playing[case.case]) for case in group)
        yield f"| {version} | {len(group)} | {' | '.join(str(counted[each]) for each in STANDINGS)} |"
    for version, of_version in versions:
        for block, of_block in groupby(of_version, lambda case: case.block):
            yield ""
            yield f"## {version}{f' {block}: {_BLOCKS[block]}' if block else ''}"
            yield ""
            yield "| case | title | stands | tests, or what is missing |"
            yield "|---|---|---|---|"
            for case in of_block:
                played = playing[case.case]
                yield f"| {case.case} | {case.title} | {standing(played)} | {_about(case, played)} |"


def standing(played: Sequence[Played]) -> Standing:
    """Return how a case stands: one test that leaves out nothing is enough."""
    if not played:
        return "not yet"
    return "partly" if all(each.lacks for each in played) else "passes"


def _about(case: Case, played: Sequence[Played]) -> str:
    if not played:
        return f"`{case.service}`"
    whole = [each for each in played if not each.lacks]
    missing = "" if whole else f"{'; '.join(dict.fromkeys(each.lacks for each in played))}: "
    files = dict.fromkeys(f"[{each.file.stem.removeprefix('test_')}](../{each.file})" for each in whole or played)
    return missing + ", ".join(files)


def main(arguments: Sequence[str]) -> int:
    """Write the document, or check it."""
    wanted, path = document(read_cases(ROOT), read_tests(ROOT)), ROOT / DOCUMENT
    if path.exists() and path.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in arguments:
        print(f"{DOCUMENT} is not what the tests say: run make generate")
        return 1
    path.write_text(wanted, encoding="utf-8")
    print(f"written: {DOCUMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
