"""The data folder belongs to one system of one version."""

import subprocess
import sys

import pytest
from chargebus_cli.errors import CommandError
from chargebus_cli.folder import VERSION, open_folder


def test_a_new_folder_is_made_for_its_owner_alone(tmp_path):
    with open_folder(tmp_path / "new") as folder:
        assert folder.path.stat().st_mode & 0o777 == 0o700
        assert (folder.path / "version").read_text().strip() == VERSION


def test_a_folder_is_opened_again(tmp_path):
    with open_folder(tmp_path / "data") as first:
        (first.path / "kept").touch()

    with open_folder(tmp_path / "data") as second:
        assert (second.path / "kept").exists()


def test_a_folder_of_another_version_is_refused(tmp_path):
    (tmp_path / "version").write_text("0\n")

    with pytest.raises(CommandError, match=f"is of version 0, this Chargebus works with version {VERSION}"):
        open_folder(tmp_path).__enter__()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").touch()

    with pytest.raises(CommandError, match="not a data folder of Chargebus"):
        open_folder(tmp_path).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(CommandError, match="cannot be used"):
        open_folder(tmp_path / "file" / "data").__enter__()


HOLD = """
import sys
from pathlib import Path
from chargebus_cli.folder import open_folder
with open_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_systems_do_not_share_a_folder_and_a_dead_one_holds_none(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "data")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        with pytest.raises(CommandError, match=rf"in use by another Chargebus \(process {other.pid}\)"):
            open_folder(tmp_path / "data").__enter__()
        other.kill()

    with open_folder(tmp_path / "data"):
        pass
