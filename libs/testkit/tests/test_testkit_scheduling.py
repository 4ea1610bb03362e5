"""What shares a system, or is marked as a group, stays in one worker and in order; all else goes to whoever is free."""

import subprocess
import sys

SETTINGS = """
[pytest]
asyncio_default_fixture_loop_scope = function
"""
TESTS = """
import os, pathlib, time, pytest

@pytest.fixture
def system():
    pass

@pytest.mark.parametrize("number", range(12))
def test_where(number{argument}):
    time.sleep(0.05)
    with pathlib.Path(__file__).with_suffix(".log").open("a") as log:
        log.write(f"{{os.environ['PYTEST_XDIST_WORKER']}} {{number}}\\n")
"""


def test_what_shares_a_system_has_one_worker_and_the_rest_is_dealt_out(tmp_path):
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    for folder, argument in (("whole", ", system"), ("free", "")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"test_{folder}.py").write_text(TESTS.format(argument=argument))

    command = (sys.executable, "-m", "pytest", "-n", "3", "-p", "chargebus_testkit.plugin", ".")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    whole, free = ((tmp_path / name / f"test_{name}.log").read_text().split() for name in ("whole", "free"))
    assert len(set(whole[::2])) == 1
    assert [int(number) for number in whole[1::2]] == list(range(12))
    assert len(set(free[::2])) > 1
