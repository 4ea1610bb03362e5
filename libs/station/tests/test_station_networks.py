"""With which certificate a station connects."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from chargebus_station import own_certificates
from chargebus_station.config import StationConfig, Tls
from chargebus_station.networks import CsmsNetwork, tls_of
from chargebus_station.own_certificates import STATION, OwnCertificates
from chargebus_testkit.pki import CLIENT, Authority, pem

URL = "wss://127.0.0.1/ocpp"
BY_PASSWORD, BY_CERTIFICATE = CsmsNetwork(URL, 2), CsmsNetwork(URL, 3)


@pytest.fixture
def came_with(tmp_path) -> Tls:
    authority = Authority.root("a maker")
    (tmp_path / "root.pem").write_text(pem(authority.certificate))
    return Tls(tmp_path / "root.pem", *authority.leaf("CS1", usages=CLIENT).write(tmp_path))


def test_what_it_got_over_OCPP_replaces_what_it_came_with_once_it_is_there(came_with):
    config, own = StationConfig("CS1", "2.0.1", URL, tls=came_with), OwnCertificates()
    decider = SimpleNamespace(state=SimpleNamespace(station_id="CS1", own_certificates=own), now=datetime.now(UTC))
    assert tls_of(config, BY_CERTIFICATE, own) == came_with

    own_certificates.ask(decider, "SignChargingStationCertificate")
    assert tls_of(config, BY_CERTIFICATE, own) == came_with
    leaf = Authority.root("an operator").leaf("CS1", key=own.keys[STATION], usages=CLIENT)
    own_certificates.take(decider, {"certificateChain": leaf.chain(), "certificateType": STATION})
    got = tls_of(config, BY_CERTIFICATE, own)
    assert got.chain.decode() == leaf.chain()
    got.context()

    own_certificates.ask(
        decider, "SignChargingStationCertificate"
    )  # it goes on with what it has until that is answered
    assert tls_of(config, BY_CERTIFICATE, own) == got
    assert tls_of(config, BY_PASSWORD, own) == Tls(came_with.ca_file)
