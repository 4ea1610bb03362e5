"""The certificates of `chargebus run`: made once, kept, and renewed in time."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_cli.errors import CommandError
from chargebus_cli.pki import Pki, kept_pki
from chargebus_station.config import Tls
from cryptography import x509

HOST, STATION = "127.0.0.1", "SIM-02"
NOW = datetime.now(UTC)


def contents(pki: Pki) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in pki.folder.iterdir()}


def shake(pki: Pki, name: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Make a handshake in memory: a station with its certificate, and an edge that wants one and has this name."""
    edge = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    edge.verify_mode = ssl.CERT_REQUIRED
    edge.load_verify_locations(pki.root)
    edge.load_cert_chain(pki.edge)
    to_edge, to_station = ssl.MemoryBIO(), ssl.MemoryBIO()
    station = Tls(pki.root, pki.station).context().wrap_bio(to_station, to_edge, server_hostname=name)
    answering = edge.wrap_bio(to_edge, to_station, server_side=True)
    for _ in range(3):
        for side in (station, answering):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return station, answering


@pytest.mark.parametrize("name", [HOST, "localhost"])
def test_edge_and_station_know_each_other(tmp_path, name):
    pki = kept_pki(tmp_path / "pki", HOST, STATION)
    _, edge = shake(pki, name)
    assert (("commonName", STATION),) in edge.getpeercert()["subject"]


def test_only_the_owner_reads_them_and_a_second_start_leaves_them(tmp_path):
    pki = kept_pki(tmp_path / "pki", HOST, STATION, NOW)
    before = contents(pki)
    assert set(before) == {
        *("root.pem", "root.key", "issuing.pem", "issuing.key", "edge.pem", "station.pem"),
        *("mobility.pem", "mobility.key", "contract.pem"),
    }
    assert all(file.stat().st_mode & 0o077 == 0 for file in pki.folder.iterdir())
    assert contents(kept_pki(pki.folder, HOST, STATION, NOW + timedelta(days=300))) == before


def test_near_their_end_leaves_are_renewed_under_the_same_root(tmp_path):
    pki = kept_pki(tmp_path / "pki", HOST, STATION, NOW - timedelta(days=310))
    before = contents(pki)
    after = contents(kept_pki(pki.folder, HOST, STATION, NOW))
    assert {name for name in before if before[name] != after[name]} == {"contract.pem", "edge.pem", "station.pem"}
    shake(pki, HOST)


def test_with_a_new_root_all_are_made_anew(tmp_path):
    pki = kept_pki(tmp_path / "pki", HOST, STATION, NOW - timedelta(days=3600))
    before = contents(pki)
    after = contents(kept_pki(pki.folder, HOST, STATION, NOW))
    of_others = {"mobility.pem", "mobility.key"}
    assert {name for name in before if before[name] != after[name]} == before.keys() - of_others
    assert set(after) == set(before)
    shake(pki, HOST)


def test_a_start_that_was_killed_amid_them_is_gone_on_with(tmp_path):
    pki = kept_pki(tmp_path / "pki", HOST, STATION, NOW)
    (pki.folder / "issuing.pem").unlink()  # it is written last
    kept_pki(pki.folder, HOST, STATION, NOW)
    shake(pki, HOST)


def test_what_cannot_be_used_is_named(tmp_path):
    pki = kept_pki(tmp_path / "pki", HOST, STATION, NOW)
    (pki.folder / "issuing.pem").write_text("nonsense")
    with pytest.raises(CommandError, match=r"the certificates in .*pki cannot be used"):
        kept_pki(pki.folder, HOST, STATION, NOW)


def test_the_built_in_authority_can_sign_with_them(tmp_path):
    """It takes the first certificate for its own, the last one for the root."""
    pki = kept_pki(tmp_path / "pki", HOST, STATION, NOW)
    own, root = x509.load_pem_x509_certificates((pki.folder / "issuing.pem").read_bytes())
    own.verify_directly_issued_by(root)
    assert root == x509.load_pem_x509_certificate(pki.root.read_bytes())
    assert own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
