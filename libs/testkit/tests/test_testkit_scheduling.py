"""A group stays in one worker, in order; all else goes to whoever is free. A report may hold whatever a test logs."""

import re
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from chargebus_testkit import plugin
from chargebus_testkit.scheduling import Scheduling
from xdist.remote import Producer

WHOLE = Path(__file__).parents[3] / "tests"
GROUPED = [f"tests/whole/test_it.py::test_it[{number}]" for number in range(8)]
FREE = [f"tests/free/test_it.py::test_it[{number}]" for number in range(8)]


class Worker:
    """Takes the place of a worker's controller."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.given: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def test_a_group_has_one_worker_and_the_rest_is_dealt_out(pytestconfig):
    workers, ids = [Worker(name) for name in ("first", "second", "third")], [*GROUPED, *FREE]
    config = SimpleNamespace(
        getvalue=lambda _name: ["popen"] * len(workers), option=SimpleNamespace(loadscopereorder=True)
    )
    scheduling = Scheduling(config, Producer("test", enabled=False), dict.fromkeys(GROUPED, "whole"))
    for worker in workers:
        scheduling.add_node(worker)
        scheduling.add_node_collection(worker, ids)

    scheduling.schedule()

    given = [[ids[index] for index in worker.given] for worker in workers]
    assert GROUPED in given
    assert all(set(one) <= set(FREE) for one in given if one != GROUPED)
    assert sum(bool(one) for one in given) == len(workers)


@pytest.mark.parametrize(("fixture", "group"), plugin._SHARED.items())
def test_what_shares_a_system_or_the_object_storage_is_a_group(fixture, group, tmp_path, pytestconfig):
    marks: list[object] = []
    item = SimpleNamespace(
        fixturenames=[fixture],
        path=tmp_path / "e2e" / "test_it.py",
        get_closest_marker=lambda _name: None,
        add_marker=marks.append,
    )

    plugin.pytest_collection_modifyitems(SimpleNamespace(), [item])

    assert [mark.args for mark in marks if getattr(mark, "name", "") == "xdist_group"] == [(group or "e2e",)]


def test_what_takes_the_declared_topics_stands_in_two_lines_of_about_the_same_length_and_a_folder_in_one():
    items = [
        SimpleNamespace(
            fixturenames=["topics"], path=Path(folder, "test_it.py"), get_closest_marker=lambda _name: None, given=[]
        )
        for folder, tests in (("access", 1), ("session", 4), ("device", 3), ("edge", 2), ("behaviour", 5))
        for _ in range(tests)
    ]
    for each in items:
        each.add_marker = each.given.append

    plugin.pytest_collection_modifyitems(SimpleNamespace(), items)

    found = defaultdict(list)
    for each in items:
        [mark] = [mark for mark in each.given if getattr(mark, "name", "") == "xdist_group"]
        found[mark.args[0]].append(each.path.parent.name)
    first, second = (found[name] for name in plugin._LINES)
    assert len(set(plugin._LINES.values())) == 2
    assert {len(first), len(second)} == {7, 8}
    assert set(first).isdisjoint(second)


def item(name, *marks):
    found = {mark.name: mark for mark in (each.mark for each in marks)}
    return SimpleNamespace(nodeid=name, fixturenames=[], get_closest_marker=found.get)


def test_workers_begin_with_what_may_take_long_and_leave_a_group_in_its_order():
    long, middle, grouped = pytest.mark.timeout(300), pytest.mark.timeout(150), pytest.mark.xdist_group("whole")
    items = [
        item("short"),
        item("server", pytest.mark.server),
        item("marked long", pytest.mark.long),
        item("first of a group", grouped, pytest.mark.server),
        item("long", long),
        item("second of a group", grouped, long),
        item("middle", middle),
    ]

    plugin.pytest_collection_modifyitems(SimpleNamespace(workerinput={}), items)

    expected = ["first of a group", "second of a group", "long", "middle", "marked long", "server", "short"]
    assert [each.nodeid for each in items] == expected


@pytest.mark.parametrize("conftest", sorted(WHOLE.glob("*/conftest.py")), ids=lambda conftest: conftest.parent.name)
def test_the_system_of_a_folder_ends_with_the_folders_last_test(conftest):
    found = re.search(r"@pytest_asyncio.fixture\((.*)\)\nasync def system\(", conftest.read_text())
    if found:
        assert 'scope="package"' in found[1]
        assert (conftest.parent / "__init__.py").exists()


def test_a_workers_report_can_be_sent_whatever_it_holds():
    told = plugin._encodable({"sections": [("Captured log", "a lone \ud800")], "duration": 1.5})

    assert told == {"sections": [["Captured log", "a lone \\ud800"]], "duration": 1.5}
