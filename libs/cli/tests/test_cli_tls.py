"""Where `chargebus run` speaks TLS."""

from pathlib import Path

import pytest
from chargebus_cli import tls
from chargebus_cli.folder import DataFolder
from chargebus_cli.wanted import HOST, Wanted

ANY = 23456
"""Which port is free when the wanted one is not."""


@pytest.fixture
def taken(monkeypatch) -> set[int]:
    """Return the ports on which somebody listens."""
    ports: set[int] = set()
    monkeypatch.setattr(tls, "is_free", lambda port, _host: port not in ports)
    monkeypatch.setattr(tls, "free_port", lambda: ANY)
    return ports


def listener(folder: Path, ocpp_port: int = 9310, **given: str) -> tls.TlsListener | None:
    return tls.tls_listener(Wanted(0, 0, ocpp_port, 8310, Path("unused")), DataFolder(folder), given)


def test_it_is_the_port_after_that_without_TLS(tmp_path, taken):
    told = listener(tmp_path, 9610)
    assert told.environment()["EDGE_TLS_PORT"] == "9611"
    assert {each.url for each in told.stations().values()} == {f"wss://{HOST}:9611/ocpp"}


@pytest.mark.parametrize("ocpp_port", [9310, 8309, 8312, 65535])
def test_where_that_is_taken_or_none_or_of_HTTP_it_is_another(tmp_path, taken, ocpp_port):
    taken.add(9311)
    assert listener(tmp_path, ocpp_port).port == ANY


def test_what_the_user_says_of_TLS_counts(tmp_path, taken):
    assert listener(tmp_path, EDGE_TLS_CERTIFICATES="mine.pem") is None
    assert not DataFolder(tmp_path).pki.exists()
    assert listener(tmp_path, EDGE_TLS_LOOK_S="1") is not None
