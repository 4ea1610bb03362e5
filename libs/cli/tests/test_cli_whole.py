"""`chargebus run`: the whole system with its own servers and a fleet, twice on the same folder, ended by Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sysconfig
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from chargebus_cli.pki import EMAID
from chargebus_embedded import free_port
from chargebus_testkit.waiting import sleep_until
from websockets.sync.client import connect

pytestmark = pytest.mark.server

PROGRAM = Path(sysconfig.get_path("scripts")) / "chargebus"
FLEET = 3
DEPOT = 2
PATIENCE_S = 120
ONE_SYSTEM = pytest.mark.xdist_group("a whole system without a fleet")


@dataclass(frozen=True)
class Run:
    """A system that is up: its folder, its process, what it printed so far, and its API with the printed key."""

    data: Path
    process: subprocess.Popen[str]
    printed: list[str]
    api: httpx.Client
    stations: str

    def get(self, path: str) -> list[dict[str, object]]:
        return self.api.get(path).raise_for_status().json()["items"]


@contextmanager
def running(data: Path, fleet: int = FLEET, depot: int = DEPOT) -> Iterator[Run]:
    ocpp, http = free_port(), free_port()
    fleets = ["--fleet", str(fleet), "--depot", str(depot)]
    arguments = [*fleets, "--data", str(data), "--ocpp-port", str(ocpp), "--http-port", str(http)]
    process = subprocess.Popen(
        [PROGRAM, "run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed = list(until_printed(process, "Ctrl-C stops everything"))
        (key,) = re.findall(r"admin API key\s+(cbk_\S+)", "".join(printed))
        with httpx.Client(base_url=f"http://127.0.0.1:{http}", headers={"X-API-Key": key}, timeout=30) as api:
            yield Run(data, process, printed, api, f"ws://127.0.0.1:{ocpp}/ocpp")
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def until_printed(process: subprocess.Popen[str], text: str) -> Iterator[str]:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        yield line
        if text in line:
            return
    pytest.fail(f"it ended with code {process.wait()} before it said {text!r}; it said:\n{said}")


def ctrl_c(run: Run) -> int:
    """End it as a terminal would: the whole process group gets SIGINT."""
    os.killpg(run.process.pid, signal.SIGINT)
    return run.process.wait(timeout=PATIENCE_S)


@pytest.mark.timeout(900)
@pytest.mark.real_broker
def test_two_starts_on_one_folder_with_a_fleet_that_charges(tmp_path, kafka):
    data = tmp_path / "data"
    with running(data) as first:
        sleep_until(lambda: len(first.get("/v1/stations?connected=true")) == FLEET + DEPOT, PATIENCE_S)
        sleep_until(lambda: first.get("/v1/sessions") != [], PATIENCE_S)
        tokens = {token["id_token"]: token for token in first.get("/v1/tokens")}
        assert tokens["DEMOBLOCKED"]["blocked"]
        assert tokens["DEMOEXPIRED"]["expires_at"]
        sleep_until(lambda: len(first.get("/v1/deviations")) >= 3, PATIENCE_S)  # of the fleet's habits
        sleep_until(lambda: profiles(first) == [2, 3, 1], PATIENCE_S)
        assert first.api.get("/v1/sites/depot").json()["nodes"][0]["capacity"]["phase_a"] == 63
        assert (data / "admin-key").stat().st_mode & 0o077 == 0
        by_contract = f"/v1/sessions?station_id=SIM-02&id_token={EMAID}&billable=true"
        sleep_until(lambda: first.get(by_contract) != [], PATIENCE_S)
        break_and_be_told(first, "SIM-02")
        family = psutil.Process(first.process.pid).children(recursive=True)
        kept = {session["session_id"] for session in first.get("/v1/sessions")}

        refused = subprocess.run([PROGRAM, "run", "--data", str(data)], capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert f"in use by another Chargebus (process {first.process.pid})" in refused.stderr

        assert ctrl_c(first) == 0
        assert [child for child in family if child.is_running()] == []

    with running(data) as second:
        assert [line for line in second.printed if "admin API key" in line] == [
            line for line in first.printed if "admin API key" in line
        ]
        assert kept <= {session["session_id"] for session in second.get("/v1/sessions?limit=500")}
        sleep_until(lambda: len(second.get("/v1/stations?connected=true")) == FLEET + DEPOT, PATIENCE_S)
        sleep_until(lambda: profiles(second) == [2, 3, 1], PATIENCE_S)
        assert ctrl_c(second) == 0


def profiles(run: Run) -> list[int]:
    """Return the security profiles by which the stations of the town are connected."""
    paths = [f"/v1/stations/SIM-{number:02}" for number in range(1, FLEET + 1)]
    return [run.api.get(path).raise_for_status().json()["connection"]["security_profile"] for path in paths]


def break_and_be_told(run: Run, station_id: str) -> None:
    """Break a connector as the tour says, and see that a mail and a webhook come."""
    (page,) = re.findall(r"mail and webhooks\s+(http://\S+)", "".join(run.printed))
    payload = {"vendorId": "chargebus.simulation", "messageId": "Break"}
    asked = {"action": "DataTransfer", "payload": payload, "wait": True}

    def is_broken() -> bool:
        answer = run.api.post(f"/v1/stations/{station_id}/commands", json=asked).json()
        return answer["outcome"] == "answered" and answer["reply"] == {"status": "Accepted"}

    def came() -> str:
        return httpx.get(page, params={"with": station_id}).text

    sleep_until(is_broken, PATIENCE_S)
    sleep_until(lambda: "mail to operator@demo.example" in came() and "webhook to /webhook" in came(), PATIENCE_S)


@pytest.fixture(scope="module")
def without_fleet(tmp_path_factory) -> Iterator[Run]:
    """Return a system for two tests, the second of which ends it: each start takes half a minute of a core."""
    with running(tmp_path_factory.mktemp("whole") / "data", fleet=0, depot=0) as run:
        yield run


@ONE_SYSTEM
@pytest.mark.timeout(600)
def test_its_log_tells_of_a_frame_that_is_refused(without_fleet):
    run = without_fleet
    new = run.api.post("/v1/stations", json={"station_id": "S1"}).raise_for_status().json()
    credentials = b64encode(f"S1:{new['password']}".encode()).decode()
    with connect(
        f"{run.stations}/S1",
        subprotocols=["ocpp1.6"],
        additional_headers={"Authorization": f"Basic {credentials}"},
    ) as station:
        station.send('[2,"1","Nonsense",{}]')
        assert json.loads(station.recv(PATIENCE_S))[:3] == [4, "1", "NotImplemented"]

    log = run.data / "chargebus.log"
    sleep_until(lambda: "S1: refused: " in log.read_text(), PATIENCE_S)
    (line,) = [line for line in log.read_text().splitlines() if "S1: refused: " in line]
    assert "'Nonsense' is not an action of OCPP 1.6" in line
    assert " WARNING chargebus_edge" in line


@ONE_SYSTEM
@pytest.mark.timeout(600)
def test_kill_9_leaves_no_process_behind(without_fleet):
    family = psutil.Process(without_fleet.process.pid).children(recursive=True)
    assert {"postgres"} <= {child.name() for child in family}

    without_fleet.process.kill()

    sleep_until(
        lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family),
        PATIENCE_S,
    )


@pytest.mark.timeout(900)
@pytest.mark.real_broker
def test_a_server_that_ends_ends_the_system_with_a_line_that_says_so(tmp_path, kafka):
    with running(tmp_path / "data", fleet=0, depot=0) as run:
        (java,) = [each for each in psutil.Process(run.process.pid).children(recursive=True) if "java" in each.name()]
        java.kill()
        assert run.process.stdout is not None
        said = run.process.stdout.read()
        assert "Kafka ended. The end of its log" in said
        assert run.process.wait(timeout=PATIENCE_S) == 1
