"""Ports that are given out: nobody else is given one of them, and a server may listen there, once and again."""

import socket
import subprocess
import sys

import pytest
from chargebus_embedded import free_port, is_free, ports


def listen(port):
    server = socket.create_server((ports.LOOPBACK, port))
    server.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps them")
def test_a_port_is_given_once():
    lowest = free_port()
    program = f"from chargebus_embedded import ports; print(ports._reserved({lowest}))"

    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert (other.stdout.strip(), ports._reserved(lowest)) == ("False", False)


def test_a_server_listens_on_a_port_that_was_given_and_listens_there_again():
    port = free_port()

    listen(port)
    listen(port)

    assert is_free(port)


def test_a_port_that_somebody_listens_on_is_not_given(monkeypatch):
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(ports, "_LOWEST", taken)
        monkeypatch.setattr(ports, "_HIGHEST", taken + 1)

        with pytest.raises(ports.EmbeddedError, match="no free port"):
            free_port()
