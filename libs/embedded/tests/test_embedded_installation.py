"""PostgreSQL's programs where its account can run them: as installed, or as a copy that only we can have made."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from chargebus_embedded import EmbeddedError, installation
from chargebus_embedded.account import OURSELVES, Account
from chargebus_embedded.installation import find_programs
from chargebus_testkit.waiting import LONG_S

ANOTHER = Account(uid=65534, gid=65534)


@pytest.fixture(autouse=True)
def only_copies_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the other account run what lies in the test's folder, as where the wheel lies in root's home."""
    monkeypatch.setattr(installation, "_runs", lambda place, account: tmp_path in place.parents)


def copied(place: Path) -> Path:
    programs = find_programs(ANOTHER, [place])
    assert programs.is_relative_to(place)
    return programs


def look_after(place: Path) -> None:
    with installation._locked(place):
        pass


def put_open_file(path: Path) -> None:
    path.touch()
    path.chmod(0o666)


def put_link(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


def put_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def test_we_run_what_is_installed(tmp_path):
    assert not find_programs(OURSELVES, [tmp_path]).is_relative_to(tmp_path)


def test_an_account_that_cannot_enter_the_installation_runs_a_copy_that_is_kept(tmp_path):
    programs = copied(tmp_path)
    made_at = programs.stat().st_ctime_ns

    assert (programs / "postgres").stat().st_mode & 0o777 == 0o755
    assert all(folder.stat().st_mode & 0o777 == 0o755 for folder in programs.parents[:3])
    assert copied(tmp_path) == programs
    assert programs.stat().st_ctime_ns == made_at
    assert set(tmp_path.iterdir()) == {programs.parents[2], tmp_path / installation._LOCK}


@pytest.mark.long
def test_of_those_that_start_at_once_one_makes_the_copy_and_nobody_takes_it_away_again(tmp_path):
    together = Barrier(3)

    def start(_number: int) -> int:
        together.wait()
        return (copied(tmp_path) / "postgres").stat().st_ino

    with ThreadPoolExecutor(3) as starters:
        found = set(starters.map(start, range(3)))

    assert found == {(copied(tmp_path) / "postgres").stat().st_ino}


@pytest.mark.long
def test_a_copy_that_lacks_a_file_is_made_anew(tmp_path):
    tidied_away = copied(tmp_path).parent / "share" / "postgresql" / "postgres.bki"
    tidied_away.unlink()

    copied(tmp_path)

    assert tidied_away.exists()


@pytest.mark.long
def test_a_copy_that_others_could_have_changed_is_made_anew(tmp_path):
    programs = copied(tmp_path)
    programs.parents[2].chmod(0o777)
    changed = programs / "postgres"
    size = changed.stat().st_size
    changed.write_bytes(bytes(size))

    copied(tmp_path)

    assert programs.parents[2].stat().st_mode & 0o777 == 0o755
    assert any((programs / "postgres").read_bytes())


def test_who_can_open_the_folder_cannot_hold_us_up(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    with ThreadPoolExecutor(1) as starter:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            starter.submit(look_after, tmp_path).result(LONG_S)
        finally:
            os.close(folder)


@pytest.mark.parametrize("put_there", [put_open_file, put_link, put_pipe])
def test_a_lock_that_somebody_else_put_there_is_not_waited_for(tmp_path, put_there):
    put_there(tmp_path / installation._LOCK)

    with pytest.raises(OSError, match=r"can lock|symbolic"):
        look_after(tmp_path)


def test_without_a_place_for_a_copy_one_line_says_what_to_do(tmp_path):
    with pytest.raises(
        EmbeddedError, match=r"no place for a copy \(.*No such file.*\): start as an ordinary user"
    ) as raised:
        find_programs(ANOTHER, [tmp_path / "missing"])

    assert "\n" not in str(raised.value)
