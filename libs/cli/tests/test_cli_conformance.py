"""The table of cases says what the tests' marks say, and a mark that is wrong is told."""

from pathlib import Path

import pytest
from chargebus_cli import conformance
from chargebus_cli.conformance import CASES, DOCUMENT, ROOT, Case, MarkError, Played, document, marks, standing

FILE = Path("tests/conformance/test_conformance_coffee.py")
CASE = Case("1.6", "TC_001", "Cold Boot", "device")
OTHER = Case("2.0.1", "TC_B_01", "Cold Boot", "device")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a folder with two cases, of which a test plays one."""
    monkeypatch.setattr(conformance, "ROOT", tmp_path)
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / DOCUMENT).parent.mkdir()
    rows = [f"{each.version},{each.case},{each.title},{each.service}\n" for each in (CASE, OTHER)]
    (tmp_path / CASES).write_text("version,case,title,service\n" + "".join(rows))
    (tmp_path / FILE).write_text('@pytest.mark.case("TC_001")\ndef test_TC_001_cold_boot(): ...\n')
    return tmp_path


def test_the_committed_table_is_what_the_tests_say():
    assert conformance.main(["--check"]) == 0, "a test's cases changed: run make generate"


def test_all_401_cases_are_in_the_table():
    cases = conformance.read_cases(ROOT)
    text = (ROOT / DOCUMENT).read_text()
    assert len({case.case for case in cases}) == 401
    assert all(f"\n| {case.case} | {case.title} |" in text for case in cases)
    assert {case.service for case in cases} <= {path.name for path in (ROOT / "services").iterdir()}


def test_a_mark_is_found_on_a_test_and_on_a_parameter():
    text = """
@pytest.mark.case("TC_001", "TC_B_01")
@pytest.mark.parametrize("how", [1, pytest.param(2, marks=pytest.mark.case("TC_B_02", lacks="the rest"))])
async def test_coffee(how): ...
"""
    assert [(each.case, each.test, each.lacks) for each in marks(FILE, text)] == [
        ("TC_001", "test_coffee", ""),
        ("TC_B_01", "test_coffee", ""),
        ("TC_B_02", "test_coffee", "the rest"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("@pytest.mark.case(NAME)\ndef test_a(): ...", "takes texts"),
        ('@pytest.mark.case("TC_001", lacks=WHY)\ndef test_a(): ...', "takes texts"),
        ("def test_TC_001_a(): ...", "has no pytest.mark.case"),
        ('@pytest.mark.case("TC_001")\n@parametrize("case", ["TC_001", "TC_002"])\ndef test_a(case): ...', "TC_002"),
    ],
)
def test_a_mark_that_cannot_be_read_is_told(text, told):
    with pytest.raises(MarkError, match=told):
        list(marks(FILE, text))


def test_a_case_that_there_is_not_is_told():
    with pytest.raises(MarkError, match="plays TC_999"):
        document([CASE], [Played("TC_999", FILE, "test_a")])


def test_a_case_passes_by_one_test_that_leaves_out_nothing():
    whole, part = Played("TC_001", FILE, "test_a"), Played("TC_001", FILE, "test_b", "the rest")
    assert [standing(each) for each in ([], [part], [part, whole])] == ["not yet", "partly", "passes"]


def test_the_table_names_tests_what_is_missing_and_owners():
    text = document([CASE, OTHER], [Played("TC_001", FILE, "test_b", "the rest")])
    assert "| TC_001 | Cold Boot | partly | the rest: [conformance_coffee](../" in text
    assert "| TC_B_01 | Cold Boot | not yet | `device` |" in text
    assert "| all | 2 | 0 | 1 | 1 |" in text


def test_check_tells_and_writes_nothing(checkout, capsys):
    assert conformance.main(["--check"]) == 1
    assert "run make generate" in capsys.readouterr().out
    assert not (checkout / DOCUMENT).exists()
    assert conformance.main([]) == 0
    assert conformance.main(["--check"]) == 0
    (checkout / FILE).write_text("")
    assert conformance.main(["--check"]) == 1
