"""What a stranger sees first: the top level holds what the layout names, and every package says its license."""

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYOUT = {
    *("README.md", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md"),
    *("Makefile", "docker-compose.yml", "pyproject.toml", "requirements.lock"),
    *("services", "libs", "deploy", "tests", "docs"),
}
PACKAGES = sorted((*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")))


def test_nothing_lies_at_the_top_level_but_what_the_layout_names():
    listing = ("git", "-c", "safe.directory=*", "ls-files", "-z")
    tracked = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")

    top = {name.partition("/")[0] for name in tracked if not name.startswith(".")} - {""}

    assert top <= LAYOUT


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.parent.name)
def test_every_package_says_its_license(package):
    assert tomllib.loads(package.read_text())["project"]["license"] == "Apache-2.0"
