"""`make service` in a copy of the checkout: what it makes passes every check and test, starts, and can be taken away.

Two are made: one that was planned and owns actions of stations, and one that is new and owns none.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
from chargebus_cli import new_service
from chargebus_cli.errors import CommandError
from chargebus_cli.generate import ROOT
from chargebus_embedded import free_port
from chargebus_embedded.child import Spawned
from chargebus_events.services import DeclaredService
from chargebus_events.topics import frames_topic, parked_topic
from chargebus_testkit.service_process import Place, ServiceProcess

PLANNED = DeclaredService("near_by", "what is near", planned=True, frames=True)
NEW = new_service.declared("far_away")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".data", ".fleet", "__pycache__", ".pytest_cache", ".hypothesis")

pytestmark = [pytest.mark.server, pytest.mark.timeout(900), pytest.mark.xdist_group("new service")]


@dataclass(frozen=True)
class Copy:
    """A copy of the checkout with an environment of its own, whose packages are the copy's."""

    root: Path

    @property
    def scripts(self) -> Path:
        return self.root / ".venv" / "bin"

    def run(self, *command: str, **environment: str) -> str:
        """Run a program of the environment, or of the copy; return what it says."""
        program, *arguments = command
        here = program if "/" in program else str(self.scripts / program)
        done = subprocess.run(
            (here, *arguments),
            cwd=self.root,
            env={name: value for name, value in os.environ.items() if "PYTEST" not in name} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def make(self, name: str) -> None:
        """Make a service as `make service` does, and install it."""
        self.run("python", "-m", "chargebus_cli.new_service", name)
        self.run(
            str(Path(sysconfig.get_path("scripts")) / "uv"),
            *("pip", "install", "--quiet", "--offline", "--no-deps", "--no-build-isolation"),
            *("-e", f"services/{name}"),
            VIRTUAL_ENV=str(self.root / ".venv"),
        )


def copied(root: Path) -> Copy:
    """Copy the checkout; its environment is a small one on top of this one, so that it is there at once."""
    shutil.copytree(ROOT, root, ignore=LEFT_OUT)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
    copy = Copy(root)
    packages = Path(copy.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    own = [folder.parent for folder in root.glob("*/*/pyproject.toml")]
    (packages / "packages.pth").write_text("\n".join(map(str, [*own, sysconfig.get_path("purelib")])) + "\n")
    for tool in ("chargebus", "mypy", "lint-imports", "deptry", "pytest"):
        script = (Path(sysconfig.get_path("scripts")) / tool).read_text().split("\n", 1)[1]
        (copy.scripts / tool).write_text(f"#!{copy.scripts / 'python'}\n{script}")
        (copy.scripts / tool).chmod(0o755)
    (copy.scripts / "ruff").symlink_to(Path(sysconfig.get_path("scripts")) / "ruff")
    subprocess.run("git init --quiet && git add --all", cwd=root, shell=True, check=True)
    return copy


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Copy:
    """Return a copy in which the services were made."""
    copy = copied(tmp_path_factory.mktemp("copy") / "checkout")
    new_service.declare(PLANNED, copy.root / new_service.DECLARATION)
    copy.make(PLANNED.name)
    copy.make(NEW.name)
    return copy


def test_the_copy_passes_every_check_with_the_new_services(copy):
    told = copy.run(".ci/check")

    assert f"ok      dependencies of services/{PLANNED.name}" in told
    assert f"ok      dependencies of services/{NEW.name}" in told
    assert "FAILED" not in told


def test_the_tests_of_the_new_services_pass(copy):
    told = copy.run("pytest", "-q", f"services/{PLANNED.name}", f"services/{NEW.name}")

    assert "failed" not in told
    assert "skipped" not in told


def test_a_new_service_has_its_topics(copy):
    topics = copy.run("chargebus", "topics", "--list")

    assert f"{frames_topic(PLANNED.name)} " in topics
    assert f"{parked_topic(PLANNED.name)} " in topics
    assert f"{parked_topic(NEW.name)} " in topics
    assert frames_topic(NEW.name) not in topics
    assert parked_topic(NEW.name) in copy.text("docs/asyncapi.json")


def test_a_new_service_has_its_place_in_compose_and_gateway_under_its_name_of_hosts(copy):
    compose, gateway = copy.text("docker-compose.yml"), copy.text("deploy/gateway.conf")

    assert "  far-away:\n    <<: *service\n" in compose
    assert "SERVICE: far_away\n" in compose
    assert "~^/v1/far-away([/?]|$) " in gateway
    assert " far-away:8310;" in gateway
    assert f" {PLANNED.host}:8310;" in gateway


async def test_the_new_services_migrate_start_and_are_healthy(copy, kafka, postgres, tmp_path, monkeypatch):
    monkeypatch.setattr("chargebus_testkit.service_process._PROGRAM", str(copy.scripts / "chargebus"))
    servers = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "DATABASE_URL": postgres.url}
    await asyncio.to_thread(copy.run, "chargebus", "topics", **servers)
    await asyncio.to_thread(copy.run, "chargebus", "migrate", PLANNED.host, NEW.host, **servers)
    place = Place("new", (PLANNED.host, NEW.host), tmp_path, http_port=free_port(), ocpp_port=0)
    process = ServiceProcess(place, {**servers, "HTTP_PORT": str(place.http_port)}, Spawned)
    await process.start()
    try:
        async with httpx.AsyncClient(base_url=place.http_url) as client:
            health = (await client.get("/health")).json()
            paths = (await client.get("/openapi.json")).json()["paths"]
            without_key = await client.get("/v1/far-away/stations")
    finally:
        await process.stop()
        await drop(postgres.url, PLANNED.package, NEW.package)

    assert health["problems"] == {}  # a warning there may be: other tests leave in public topics what nobody can read
    assert {f"/v1/{PLANNED.host}/stations", "/v1/far-away/stations/{station_id}"} <= paths.keys()
    assert without_key.status_code == 401


async def drop(url, *databases):
    connection = await asyncpg.connect(url)
    for name in databases:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.close()


def test_deleting_the_folder_and_the_row_takes_a_service_away(copy, tmp_path):
    """Done in a copy of the copy: what other tests of this file need stays as it is."""
    without = tmp_path / "without"
    shutil.copytree(copy.root, without, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    shutil.rmtree(without / "services" / NEW.name)
    declaration = without / new_service.DECLARATION
    first, last = new_service.rows(declaration.read_text())[NEW.name]
    lines = declaration.read_text().splitlines(keepends=True)
    declaration.write_text("".join(lines[:first] + lines[last:]))
    libraries = os.pathsep.join(str(folder) for folder in without.glob("libs/*"))
    for module in ("chargebus_cli.generate", "chargebus_cli.asyncapi"):
        copy.run("python", "-m", module, PYTHONPATH=libraries)

    traces = (NEW.package, f"{NEW.host}:8310", f"SERVICE: {NEW.name}", f"### {NEW.host}", parked_topic(NEW.name))
    left = [file for file in without.rglob("*") if file.is_file() and file.name != Path(__file__).name]
    assert [file for file in left if any(trace.encode() in file.read_bytes() for trace in traces)] == []


@pytest.mark.parametrize("name", ["", "Roaming", "2fast", "a b", "_x", "edge", "calls", "runtime"])
def test_what_cannot_be_a_service_is_refused(name):
    with pytest.raises(CommandError):
        new_service.declared(name)


def test_both_forms_of_a_name_make_the_same_service():
    assert new_service.declared("far-away") == new_service.declared("far_away")


def test_a_service_that_was_planned_keeps_what_was_said_of_it(monkeypatch):
    monkeypatch.setattr(new_service, "SERVICES", (PLANNED,))

    made = new_service.declared(PLANNED.host)

    assert (made.about, made.frames, made.planned) == (PLANNED.about, True, False)
