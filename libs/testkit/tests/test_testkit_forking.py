"""Processes that are forked are processes as any other."""

import os
import sys
from pathlib import Path

import pytest
from chargebus_embedded.child import Child, Command
from chargebus_testkit.forking import CAN_FORK, Forks
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="processes have no descriptors here")
PROGRAM = str(Path(sys.executable).parent / "chargebus")


@pytest.fixture(scope="module")
def forks():
    return Forks()


def command(folder, *arguments, **environment):
    return Command("a service", (PROGRAM, *arguments), folder, folder / "log", {**os.environ, **environment})


def states(pid):
    return {(task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()}


async def ended(child):
    return not child.running


async def test_it_says_what_the_command_says_in_its_own_environment_and_ends(forks, tmp_path):
    child = Child(command(tmp_path, "run", "access", ACCESS_ADMIN_KEY_FILE=str(tmp_path / "key")), forks.start)

    await eventually(lambda: ended(child))

    assert "a single service needs a Kafka" in (tmp_path / "log").read_text()


async def test_it_stands_still_and_is_killed_alone(forks, tmp_path):
    reachable_by_nobody = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1",
        "ACCESS_ADMIN_KEY_FILE": str(tmp_path / "key"),
    }
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    one, other = (Child(command(folder, "run", "access", **reachable_by_nobody), forks.start) for folder in folders)
    assert len({one.pid, other.pid, os.getpid()}) == 3
    assert os.getsid(one.pid) == one.pid

    await one.pause()
    assert states(one.pid) == {"T"}
    await one.kill()

    assert not one.running
    assert other.running
    await other.stop()
    assert not other.running
