"""Plug & Charge: the cases of C07 and M01, M02, with real chains, a real responder and a real pool of contracts."""

from itertools import count

import pytest
from chargebus_station.contracts import Contract
from chargebus_station.driver_visit import Departure, DriverVisit
from chargebus_station.plug_and_charge import ISO2, ISO20, exi_of
from chargebus_station.rpc import Answer
from chargebus_station.transaction import IdToken
from chargebus_testkit.pki import DAY, pem, pki_server
from chargebus_testkit.raw import v201
from chargebus_testkit.raw.times import ago
from chargebus_testkit.v2g_pki import V2gPki

from .conftest import VEHICLE

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
NUMBERS = count(10_000_001)


@pytest.fixture
def pki():
    with pki_server() as server:
        yield V2gPki.make(server)


@pytest.fixture
def contract(api, pki):
    """Make a contract whose eMAID is registered, under a root that is trusted: the eMAID and its certificate."""
    authorities = "".join(map(pem, pki.mobility.chain(root=True)))  # stations that validate name only their hashes

    async def make(**more):
        await api.call("POST", "/v1/certificates", {"pem": authorities, "kind": "MORootCertificate"})
        emaid = f"DE8AAC{next(NUMBERS)}"
        with_hyphens = f"{emaid[:2]}-{emaid[2:5]}-{emaid[5:]}"
        await api.add_token(with_hyphens, type="eMAID")
        return emaid, pki.contract(emaid, **more)

    return make


def asks(emaid, leaf, *, root=False):
    shown = Contract(leaf.chain(root=True)).shown() if not root else Contract(leaf.chain(root=True), True).shown()
    return {"idToken": {"idToken": emaid, "type": "eMAID"}} | shown


async def charged(station, emaid, contract):
    """Let a vehicle charge by its contract; return the transaction, None where it was refused."""
    token = IdToken(emaid, "eMAID", contract)
    return await station.visit(DriverVisit(1, VEHICLE, token, stay_s=1800, departure=Departure.UNPLUGS))


@pytest.mark.case("TC_C_50", "TC_C_52")
@V2
async def test_TC_C_50_TC_C_52_a_vehicle_charges_by_its_contract_validated_by_its_station_or_by_the_csms(
    virtual_station, contract, told, version
):
    async with virtual_station(version) as station:
        for is_central in (False, True):
            emaid, leaf = await contract()
            entry = await charged(station, emaid, Contract(leaf.chain(root=not is_central), is_central))
            assert (station.history.authorizations[-1].status, entry is not None) == ("Accepted", True)
            await told(
                f"/v1/sessions?id_token={emaid}",
                lambda found: [(each["state"], each["billable"]) for each in found["items"]] == [("ended", True)],
                what="the session is over",
            )


@pytest.mark.case("TC_C_51")
@V2
async def test_TC_C_51_what_is_revoked_expired_unknown_or_of_another_root_is_refused(
    raw_station, contract, pki, version
):
    emaid, good = await contract()
    revoked_emaid, revoked = await contract()
    expired_emaid, expired = await contract(valid=(-2 * DAY, -DAY))
    pki.mobility.revoke(revoked)
    stranger, nobody = V2gPki.make(pki.v2g.server).contract(emaid), pki.contract("DE8AAC000000000")
    cases = [
        (asks(emaid, good), "Accepted", "Accepted"),
        (asks(revoked_emaid, revoked), "Invalid", "CertificateRevoked"),
        (asks(revoked_emaid, revoked, root=True), "Invalid", "CertificateRevoked"),
        (asks(expired_emaid, expired, root=True), "Expired", "CertificateExpired"),
        (asks(emaid, stranger, root=True), "Invalid", "CertChainError"),
        (asks(revoked_emaid, good, root=True), "Invalid", "CertChainError"),
        (asks("DE8AAC000000000", nobody, root=True), "Unknown", "ContractCancelled"),
        (asks(emaid, stranger), "Invalid", "CertChainError"),
        ({"idToken": {"idToken": emaid, "type": "eMAID"}}, "Invalid", "NoCertificateAvailable"),
    ]
    async with raw_station(version) as station:
        for asked, status, certificate in cases:
            answer = await station.call("Authorize", asked)
            assert (answer["idTokenInfo"]["status"], answer["certificateStatus"]) == (status, certificate)


@pytest.mark.case("TC_C_51")
@V2
async def test_TC_C_51_a_transaction_that_a_station_begins_all_the_same_is_refused(raw_station, contract, pki, version):
    emaid, good = await contract()
    stranger = V2gPki.make(pki.v2g.server).contract(emaid)
    token = {"idToken": v201.id_token(emaid, "eMAID")}
    async with raw_station(version) as station:
        for number, (leaf, status) in enumerate(((good, "Accepted"), (stranger, "Invalid"), (good, "Accepted"))):
            answer = await station.call("Authorize", asks(emaid, leaf, root=True))
            begun = await station.call("TransactionEvent", v201.started(f"tx-{number}", 0, ago(1), 100) | token)
            assert (answer["idTokenInfo"]["status"], begun["idTokenInfo"]["status"]) == (status, status)


@pytest.mark.case("TC_C_51")
async def test_TC_C_51_a_station_gives_no_energy_for_a_contract_that_is_revoked(virtual_station, contract, pki):
    emaid, leaf = await contract()
    pki.mobility_root.revoke(pki.mobility.parent)
    async with virtual_station("2.0.1") as station:
        entry = await charged(station, emaid, Contract(leaf.chain(), is_central=True))
    assert station.history.authorizations[-1].status == "CertificateRevoked"
    assert entry is None or entry.meter_stop_wh == entry.meter_start_wh


@pytest.mark.case("TC_M_26", "TC_M_28")
@V2
async def test_TC_M_26_TC_M_28_a_vehicle_gets_a_contract_and_a_new_one(virtual_station, pool, version):
    for action, exi in (("Install", "a" * 7500), ("Update", "b")):
        pcid = f"WMI{action}{next(NUMBERS)}"
        pool.contracts[exi_of(pcid)] = [(exi, "DE8AAC123456780")]
        async with virtual_station(version) as station:
            outcome = await station.fetch_contract(pcid, action)
            failed = await station.fetch_contract("nobody's")
        assert outcome == Answer({"status": "Accepted", "exiResponse": exi})
        assert failed.payload["status"] == "Failed"
        assert {"certificateInstallationReq": exi_of(pcid), "xsdMsgDefNamespace": ISO2} in pool.asked


@pytest.mark.case("TC_M_100")
async def test_TC_M_100_a_vehicle_of_iso_15118_20_gets_several_contracts(virtual_station, pool):
    pcid = f"WMI{next(NUMBERS)}"
    pool.contracts[exi_of(pcid)] = [("x" * 17_000, "DE8AAC123456780"), ("y", "DE8AAC999999990")]
    async with virtual_station("2.1") as station:
        outcomes = [await station.fetch_contract(pcid, most=8) for _ in range(2)]
    assert outcomes == [
        Answer({"status": "Accepted", "exiResponse": "x" * 17_000, "remainingContracts": 1}),
        Answer({"status": "Accepted", "exiResponse": "y", "remainingContracts": 0}),
    ]
    assert {"certificateInstallationReq": exi_of(pcid), "xsdMsgDefNamespace": ISO20} in pool.asked
