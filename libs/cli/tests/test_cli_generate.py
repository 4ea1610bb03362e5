"""Lists of services are written where their comments stand, and nothing else is."""

import re
import shutil

import pytest
from chargebus_cli import generate
from chargebus_cli.generate import FILES, ROOT, BlockError, rewritten, stale
from chargebus_events import services
from chargebus_events.services import DeclaredService


@pytest.fixture
def checkout(tmp_path):
    """Return a folder with the files that hold lists, and those that the lists are made of."""
    for name in (*FILES, *(path.relative_to(ROOT) for path in ROOT.glob("services/*/chargebus_*/settings.py"))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for package in ROOT.glob("libs/*/chargebus_*"):
        (tmp_path / package.relative_to(ROOT)).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def roaming(monkeypatch):
    """Declare one more service, with a name of two words."""
    new = DeclaredService(name="far_roaming", about="partners", parks=True, paths=("/v1/far-roaming",), volume=True)
    declared = tuple(sorted((*services.RUNNING, new), key=lambda service: service.name))
    monkeypatch.setattr(services, "RUNNING", declared)
    monkeypatch.setattr(generate, "RUNNING", declared)


def test_the_committed_lists_are_what_is_declared(checkout):
    assert stale(checkout) == {}, "a service changed: run make generate"


def test_a_new_service_is_missing_everywhere_until_the_lists_are_written(checkout, roaming):
    found = stale(checkout)
    for name, text in found.items():
        (checkout / name).write_text(text)

    assert set(found) == set(FILES)
    assert stale(checkout) == {}
    assert '"chargebus_far_roaming",' in found["pyproject.toml"]
    assert re.search(r'"chargebus_access \| .*\| chargebus_far_roaming \| .*",', found["pyproject.toml"])
    assert "  far-roaming:\n    <<: *service\n" in found["docker-compose.yml"]
    assert "SERVICE: far_roaming\n" in found["docker-compose.yml"]
    assert re.search(r"depends_on: \[access, .* far-roaming, .*\]", found["docker-compose.yml"])
    assert re.search(r"SERVICE: access .* far_roaming .*session", found["docker-compose.yml"])
    assert re.search(r"generated: volumes\n(  \S+:\n)*  far-roaming:\n", found["docker-compose.yml"])
    assert " far-roaming:8310;" in found["deploy/gateway.conf"]
    assert "| far-roaming | `/v1/far-roaming` | partners |" in found["docs/operations.md"]


@pytest.mark.parametrize("name", FILES)
def test_what_stands_outside_the_lists_is_left_alone(checkout, roaming, name):
    before = (checkout / name).read_text()
    after = rewritten(name, before, checkout)

    assert all(line in after.splitlines() for line in before.splitlines() if line.strip().startswith("#"))
    assert len(after) > len(before)


def test_a_list_that_nobody_makes_or_that_is_gone_is_told():
    with pytest.raises(BlockError, match="nobody makes the list 'wishes'"):
        rewritten("deploy/gateway.conf", "# generated: wishes\n# end\n", ROOT)
    with pytest.raises(BlockError, match="generated: paths"):
        rewritten("deploy/gateway.conf", "# nothing\n", ROOT)


def test_check_says_which_file_is_stale_and_writes_nothing(checkout, monkeypatch, capsys):
    monkeypatch.setattr(generate, "ROOT", checkout)
    conf = checkout / "deploy" / "gateway.conf"
    conf.write_text(conf.read_text().replace("edge:9310", "edge:9311"))
    wrong = conf.read_text()

    assert generate.main(["--check"]) == 1
    assert "deploy/gateway.conf" in capsys.readouterr().out
    assert conf.read_text() == wrong
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
