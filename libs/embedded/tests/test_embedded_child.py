"""A child process ends with its parent, whatever ends the parent."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from chargebus_embedded.child import Child, Command
from chargebus_testkit.waiting import sleep_until

PARENT = """
import asyncio, sys
from pathlib import Path
from chargebus_embedded import EmbeddedKafka, EmbeddedPostgres

async def main():
    folder = Path(sys.argv[1])
    kafka, postgres = EmbeddedKafka(folder / "kafka"), EmbeddedPostgres(folder / "postgres")
    await kafka.start()
    await postgres.start()
    print(kafka.pid, postgres.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    """Tell whether a process runs (one that has ended and was not waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def descendants(pid: int) -> list[int]:
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in listing.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found[1:]


def shell(tmp_path: Path, script: str) -> Command:
    return Command("sh", ("/bin/sh", "-c", script), tmp_path, tmp_path / "child.log", os.environ)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
@pytest.mark.server
def test_kill_9_of_the_parent_ends_broker_database_and_guards(tmp_path):
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        family = descendants(parent.pid)
        assert set(pids) <= set(family)

        parent.kill()

    sleep_until(lambda: not any(map(alive, family)))


def test_a_child_that_ignores_sigterm_is_killed(tmp_path):
    child = Child(shell(tmp_path, "trap '' TERM; echo ready; while :; do sleep 1; done"))
    sleep_until(lambda: child.log_mentions("ready"))

    asyncio.run(child.stop(grace_s=0.2))

    assert not child.running


def test_a_paused_child_does_nothing_until_it_is_resumed(tmp_path):
    child = Child(shell(tmp_path, "while :; do echo tick; done"))
    sleep_until(lambda: child.log_mentions("tick"))
    log = tmp_path / "child.log"

    asyncio.run(child.pause())
    written = log.stat().st_size
    time.sleep(0.2)
    assert log.stat().st_size == written

    child.resume()
    sleep_until(lambda: log.stat().st_size > written)
    asyncio.run(child.kill())


def test_a_child_gets_the_stop_signal_it_asks_for(tmp_path):
    command = shell(tmp_path, "trap 'echo politely; exit 0' USR1; echo ready; while :; do sleep 0.05; done")
    child = Child(replace(command, stop=signal.SIGUSR1))
    sleep_until(lambda: child.log_mentions("ready"))

    asyncio.run(child.stop())

    assert child.log_mentions("politely")


def test_the_log_of_the_start_before_is_kept_beside(tmp_path):
    for word in ("first", "second"):
        child = Child(shell(tmp_path, f"echo {word}"))
        sleep_until(lambda child=child: not child.running)

    assert (tmp_path / "child.log").read_text() == "second\n"
    assert (tmp_path / "child.log.1").read_text() == "first\n"
