"""How a station shows a vehicle's contract, and asks for one."""

import json

import pytest
from chargebus_ocppj.schemas import validate_call
from chargebus_station.contracts import Contract
from chargebus_station.dialects import DIALECTS as ALL
from chargebus_station.plug_and_charge import certificate_request
from chargebus_station.transaction import IdToken
from chargebus_testkit.pki import PkiServer
from chargebus_testkit.v2g_pki import V2gPki
from cryptography import x509

DIALECTS = {version: ALL[version]("Wh") for version in ("2.0.1", "2.1")}
V2 = pytest.mark.parametrize("version", DIALECTS)
SERVER = PkiServer(1)
LEAF = V2gPki.make(SERVER).contract("DE8AAC123456780")


def check(version, message):
    validate_call(version, message.action, json.dumps(message.payload).encode())


@V2
def test_C07_FR_06_a_station_without_the_root_shows_the_chain(version):
    token = IdToken("DE8AAC123456780", "eMAID", Contract(LEAF.chain(), is_central=True))
    message = DIALECTS[version].authorize(token)
    check(version, message)
    assert len(x509.load_pem_x509_certificates(message.payload["certificate"].encode())) == 3


@V2
def test_C07_FR_02_a_station_that_has_checked_the_chain_tells_each_certificate_below_the_root(version):
    message = DIALECTS[version].authorize(IdToken("DE8AAC123456780", "eMAID", Contract(LEAF.chain(root=True))))
    check(version, message)
    named = message.payload["iso15118CertificateHashData"]
    assert [each["responderURL"] for each in named] == [SERVER.ocsp_url] * 3
    assert named[0]["serialNumber"] == f"{LEAF.certificate.serial_number:x}"


@V2
def test_C07_what_the_csms_says_of_the_certificate_decides(version):
    accepted = {"idTokenInfo": {"status": "Accepted"}}
    said = {
        status: DIALECTS[version].token_status(accepted | {"certificateStatus": status})
        for status in ("Accepted", "CertificateRevoked")
    }
    assert said == {"Accepted": "Accepted", "CertificateRevoked": "CertificateRevoked"}
    assert DIALECTS[version].token_status(accepted) == "Accepted"


def test_M01_M02_a_request_for_a_contract_is_one_of_each_version():
    for version in DIALECTS:
        check(version, certificate_request("WMIV1234567890ABCD", "Update"))
    check("2.1", certificate_request("WMIV1234567890ABCD", most=8))
