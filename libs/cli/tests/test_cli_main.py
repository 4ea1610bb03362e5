"""The command line as a newcomer meets it: help, and one clear line where something is wrong."""

import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from chargebus_cli.main import main

PROGRAM = Path(sysconfig.get_path("scripts")) / "chargebus"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", **environment}
    )


@pytest.mark.parametrize("command", ["run", "simulate", "bench", "topics", "migrate", "parked"])
def test_each_command_is_offered_and_explains_itself(command, capsys):
    for arguments in (["--help"], [command, "--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert command in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["list", "show", "replay"])
def test_parked_offers_its_verbs(verb, capsys):
    with pytest.raises(SystemExit):
        main(["parked", verb, "--help"])

    assert f"chargebus parked {verb}" in capsys.readouterr().out


def test_help_loads_no_service_and_no_client():
    code = "import sys; from chargebus_cli.main import _parser; _parser(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"aiokafka", "asyncpg", "fastapi", "chargebus_session", "chargebus_runtime"} & set(loaded)


def test_an_unknown_service_is_said_in_one_line():
    done = run("run", "sesion")

    assert done.returncode == 1
    assert done.stderr.startswith("chargebus: no such service here: sesion (installed: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_single_service_without_a_kafka_is_told_what_it_needs():
    done = run("run", "device")

    assert done.returncode == 1
    assert "set KAFKA_BOOTSTRAP_SERVERS" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.long
def test_a_wrong_setting_is_named():
    done = run("run", "device", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", HTTP_PORT="many")

    assert done.returncode == 1
    assert "the setting HTTP_PORT is wrong" in done.stderr
    assert "'many'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.long
def test_an_edge_without_a_transport_says_in_one_line_how_to_switch_one_on():
    done = run("run", "edge", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", HTTP_PORT="0")

    assert done.returncode == 1
    assert "set EDGE_ALLOW_PLAIN_WS=true" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("option", ["--ocpp-port", "--http-port"])
def test_a_taken_port_is_said_in_one_line_before_anything_starts(option, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])

        done = run("run", "--fleet", "0", "--data", str(tmp_path / "data"), option, port)

    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1" in done.stderr
    assert "takes another" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("wrong", [["run", "--fleet", "-1"], ["run", "--http-port", "70000"], ["nonsense"]])
def test_wrong_arguments_end_with_code_2(wrong):
    assert run(*wrong).returncode == 2


def test_simulate_needs_a_key():
    done = run("simulate")

    assert done.returncode == 1
    assert "--key, or CHARGEBUS_API_KEY" in done.stderr
