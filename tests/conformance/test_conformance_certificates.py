"""Certificates on stations: 1.6 TC_075, TC_076, and functional block M, with real certificates and a real responder."""

import base64

import pytest
from chargebus_ocppj.versions import VERSIONS
from chargebus_security.inventory.domain.hashes import hash_data
from chargebus_station.certificates import MOST
from chargebus_station.faults import Fault
from chargebus_testkit.api import ApiError
from chargebus_testkit.pki import Authority, pem, pki_server
from cryptography.x509 import ocsp

pytestmark = pytest.mark.asyncio(loop_scope="session")

CSMS, MANUFACTURER = "CSMSRootCertificate", "ManufacturerRootCertificate"
V2G, MO, OEM = "V2GRootCertificate", "MORootCertificate", "OEMRootCertificate"
TYPES = {"1.6": [CSMS, MANUFACTURER], "2.0.1": [CSMS, MANUFACTURER, V2G, MO], "2.1": [CSMS, MANUFACTURER, V2G, MO, OEM]}
EACH = pytest.mark.parametrize(
    ("version", "kind"), [(version, kind) for version in VERSIONS for kind in TYPES[version]]
)
ALL = pytest.mark.parametrize("version", VERSIONS)
V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


class OfStation:
    """What an operator does with the certificates of a station."""

    def __init__(self, api, station):
        self._api = api
        self.station_id = station.config.station_id
        self._path = f"/v1/stations/{self.station_id}/certificates"

    async def upload(self, authority, kind=""):
        [uploaded] = (
            await self._api.call("POST", "/v1/certificates", {"pem": pem(authority.certificate), "kind": kind})
        )["items"]
        return uploaded["certificate_id"]

    async def install(self, kind, authority):
        wanted = {"certificate_type": kind, "certificate_id": await self.upload(authority, kind), "wait": True}
        return (await self._api.call("POST", self._path, wanted | {"ttl_s": 60.0}))["status"]

    async def report(self, *kinds):
        asked = {"certificate_types": list(kinds), "wait": True, "ttl_s": 60.0}
        return [each["status"] for each in (await self._api.call("POST", f"{self._path}/report", asked))["items"]]

    async def has(self):
        items = (await self._api.call("GET", self._path))["items"]
        return {(each["certificate_type"], each["subject"]) for each in items if each["named"]}

    async def delete(self, authority):
        certificate_id = await self.upload(authority)
        return (await self._api.call("POST", f"{self._path}/{certificate_id}/delete", {"wait": True, "ttl_s": 60.0}))[
            "status"
        ]


@pytest.fixture
def known(api, told):
    """Return a virtual station as an operator has it, once it is heard of."""

    async def known(station):
        path = f"/v1/security/stations/{station.config.station_id}"
        await told(path, lambda found: found.get("ocpp_version"), what="the station is heard of")
        return OfStation(api, station)

    return known


@pytest.mark.case(
    "TC_075_1", "TC_075_2", "TC_M_01", "TC_M_02", "TC_M_03", "TC_M_04", "TC_M_12", "TC_M_13", "TC_M_14", "TC_M_16"
)
@EACH
async def test_TC_075_TC_M_01_to_M_04_TC_M_12_to_M_16_a_root_is_installed_and_told(
    virtual_station, known, version, kind
):
    async with virtual_station(version) as station:
        on, root = await known(station), Authority.root(f"{kind} of {station.config.station_id}")
        assert await on.install(kind, root) == "Accepted"
        assert await on.report(kind) == ["Accepted"]
        assert await on.has() == {(kind, root.certificate.subject.rfc4514_string())}
        assert [held for each in station.state.certificates.values() for held in each] == [root.certificate]


@pytest.mark.case("TC_M_15")
@V2
async def test_TC_M_15_a_certificate_of_the_station_towards_vehicles_is_told_with_what_is_above_it(
    raw_station, api, told, version
):
    root = Authority.root("V2G")
    sub = root.sub("CPO Sub-CA 1")
    leaf = sub.leaf("SECC")
    chain = {
        "certificateType": "V2GCertificateChain",
        "certificateHashData": hash_data(leaf.certificate, sub.certificate).members(),
        "childCertificateHashData": [hash_data(sub.certificate, root.certificate).members()],
    }
    replies = {"GetInstalledCertificateIds": {"status": "Accepted", "certificateHashDataChain": [chain]}}
    async with raw_station(version, replies) as station:
        heard = f"/v1/security/stations/{station.station_id}"
        await told(heard, lambda found: found.get("ocpp_version"), what="the station is heard of")
        path = f"/v1/stations/{station.station_id}/certificates"
        asked = {"certificate_types": ["V2GCertificateChain"], "wait": True, "ttl_s": 60.0}
        [answer] = (await api.call("POST", f"{path}/report", asked))["items"]
        has = (await api.call("GET", path))["items"]
    assert answer["status"] == "Accepted"
    [item] = [each for each in has if each["certificate_type"] == "V2GCertificateChain"]
    assert int(item["named"]["serial_number"], 16) == leaf.certificate.serial_number
    assert [int(each["serial_number"], 16) for each in item["children"]] == [sub.certificate.serial_number]


@pytest.mark.case("TC_M_05")
@ALL
async def test_TC_M_05_a_station_that_fails_or_has_no_room_says_so(virtual_station, known, version):
    async with virtual_station(version) as station:
        on = await known(station)
        station.faults.arm(Fault.FAIL_COMMAND, "InstallCertificate")
        assert await on.install(CSMS, Authority.root("fails")) == "Failed"
        for number in range(MOST):
            station.state.certificates.setdefault(MANUFACTURER, []).append(Authority.root(f"{number}").certificate)
        assert await on.install(CSMS, Authority.root("no room")) == "Rejected"


@pytest.mark.case("TC_M_17", "TC_M_18", "TC_M_19")
@ALL
async def test_TC_M_17_M_18_M_19_several_types_all_of_them_and_none(virtual_station, known, version):
    async with virtual_station(version) as station:
        on, kinds = await known(station), TYPES[version]
        assert set(await on.report()) == {"NotFound"}
        roots = {kind: Authority.root(f"{kind} all") for kind in kinds}
        for kind, root in roots.items():
            await on.install(kind, root)
        assert set(await on.report(CSMS, MANUFACTURER)) == {"Accepted"}
        assert set(await on.report()) == {"Accepted"}
        assert await on.has() == {(kind, root.certificate.subject.rfc4514_string()) for kind, root in roots.items()}


@pytest.mark.case("TC_076", "TC_M_20", "TC_M_21")
@ALL
async def test_TC_076_TC_M_20_M_21_a_certificate_is_deleted_but_never_the_last_root_that_works(
    virtual_station, known, version
):
    async with virtual_station(version) as station:
        on, old, new = await known(station), Authority.root("the old one"), Authority.root("the new one")
        await on.install(CSMS, old)
        await on.report()
        with pytest.raises(ApiError) as last:
            await on.delete(old)
        await on.install(CSMS, new)
        await on.report()
        station.faults.arm(Fault.FAIL_COMMAND, "DeleteCertificate")
        assert await on.delete(old) == "Failed"
        assert await on.delete(old) == "Accepted"
        await on.report()
        assert last.value.status == 409
        assert await on.has() == {(CSMS, "CN=the new one")}


async def test_the_root_under_which_the_edge_stands_is_deleted_nowhere_though_nobody_has_marked_it(
    virtual_station, known, api, tls
):
    async with virtual_station("2.0.1") as station:
        on, other = await known(station), Authority.root("valid, and of nobody")
        await on.install(CSMS, tls.root)
        await on.install(CSMS, other)
        await on.report()
        with pytest.raises(ApiError) as on_station:
            await on.delete(tls.root)
        assert await on.delete(other) == "Accepted"
    with pytest.raises(ApiError) as forgotten:
        await api.call("DELETE", f"/v1/certificates/{await on.upload(tls.root)}")
    assert (on_station.value.status, forgotten.value.status) == (409, 409)
    assert "an edge" in str(on_station.value)


@ALL
async def test_roots_that_are_wanted_are_installed_and_again_where_they_go_missing(
    virtual_station, known, api, told, version
):
    async with virtual_station(version) as station:
        on, root, other = await known(station), Authority.root("wanted"), Authority.root("not wanted")
        [kind] = [key for key in ("CentralSystemRootCertificate", CSMS) if (version == "1.6") == (key != CSMS)]
        held = station.state.certificates.setdefault(kind, [other.certificate])
        wanted = {
            "name": "ours",
            "certificate_type": CSMS,
            "certificate_ids": [await on.upload(root)],
            "stations": {"station_ids": [on.station_id]},
            "others": "delete",
        }
        policy = await api.call("POST", "/v1/trust/policies", wanted)
        path = f"/v1/stations/{on.station_id}/certificates"

        def as_wanted(found):
            return [each["verdict"] for each in found["items"]] == ["as wanted"] and not found["drift"]

        await told(path, as_wanted, what="the root is on the station, and no other")
        assert held == [root.certificate]

        held.clear()
        await on.report()
        await told(path, lambda found: as_wanted(found) and held, what="it is there again")
        await api.call("DELETE", f"/v1/trust/policies/{policy['policy_id']}")


@pytest.mark.case("TC_M_24")
@V2
async def test_TC_M_24_a_station_is_told_the_status_of_its_certificate(raw_station, version):
    with pki_server() as server:
        root = Authority.root("V2G", server)
        leaf = root.leaf("SECC")
        named = hash_data(leaf.certificate, root.certificate).members()
        async with raw_station(version) as station:
            data = {"ocspRequestData": {**named, "responderURL": server.ocsp_url}}
            answer = await station.call("GetCertificateStatus", data)
        assert answer["status"] == "Accepted"
        response = ocsp.load_der_ocsp_response(base64.b64decode(answer["ocspResult"]))
        assert response.certificate_status is ocsp.OCSPCertStatus.GOOD


async def test_M07_a_station_is_told_the_status_of_a_vehicles_chain(raw_station):
    with pki_server() as server:
        root = Authority.root("OEM", server)
        leaf = root.leaf("WMIV1234567890ABCDEX")
        root.revoke(leaf)
        named = hash_data(leaf.certificate, root.certificate).members()
        async with raw_station("2.1") as station:
            parts = [{"certificateHashData": named, "source": "OCSP", "urls": [server.ocsp_url]}]
            answer = await station.call("GetCertificateChainStatus", {"certificateStatusRequests": parts})
        assert [each["status"] for each in answer["certificateStatus"]] == ["Revoked"]
