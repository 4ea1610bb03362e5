"""The revisions of a service stand in one line: each is numbered after the one before it."""

import re
from pathlib import Path

import pytest

MIGRATIONS = sorted(Path(__file__).parents[2].glob("services/*/migrations/versions"))


@pytest.mark.parametrize("folder", MIGRATIONS, ids=lambda folder: folder.parts[-3])
def test_each_revision_follows_the_one_before(folder: Path) -> None:
    files = sorted(folder.glob("0*.py"))
    found = [(file.name[:4], _named("revision", file), _named("down_revision", file)) for file in files]
    numbers = [f"{number:04}" for number in range(1, len(found) + 1)]
    assert found == [(number, number, before) for number, before in zip(numbers, [None, *numbers[:-1]], strict=True)], (
        "two changes took the same number: give the later one the next"
    )


def _named(name: str, file: Path) -> str | None:
    found = re.search(rf'^{name} = (?:"(\w+)"|None)$', file.read_text(), re.MULTILINE)
    assert found is not None, f"{file} has no {name}"
    return found[1]
