"""Contract certificates that stations show: through Kafka, and to responders over real HTTP."""

import asyncio
from datetime import UTC, datetime
from itertools import count, pairwise

import msgspec
import pytest
from chargebus_events.frames import CONTRACT_HEADER, ContractCheck, Frame
from chargebus_events.topics import frames_topic
from chargebus_security.inventory.domain.hashes import hash_data
from chargebus_security.main import build
from chargebus_testkit.pki import pem, pki_server
from chargebus_testkit.v2g_pki import V2gPki
from chargebus_testkit.waiting import eventually

NUMBERS = count(1)
EMAID = "DE8AAC123456780"


@pytest.fixture
def responder(monkeypatch):
    monkeypatch.setenv("SECURITY_STATUS_ALLOWED_NETWORKS", '["127.0.0.0/8"]')
    monkeypatch.setenv("SECURITY_STATUS_WITHIN_S", "60")
    monkeypatch.setenv("SECURITY_CONTRACTS_CHECK_WITHIN_S", "30")
    with pki_server() as server:
        yield server


def shows(station_id, chain="", named=(), version="2.0.1", emaid=EMAID):
    number, now = next(NUMBERS), datetime.now(UTC).replace(microsecond=0)
    payload = {"idToken": {"idToken": emaid, "type": "eMAID"}}
    payload |= {"certificate": chain} if chain else {"iso15118CertificateHashData": list(named)}
    return Frame(station_id, version, "Authorize", f"m{number}", 3, 7, number, msgspec.json.encode(payload), now)


def names(contract, server):
    """Return the names of a contract's chain, as stations tell them."""
    chain = [contract.certificate, *contract.issuer.chain(root=True)]
    return [hash_data(each, issuer).members() | {"responderURL": server.ocsp_url} for each, issuer in pairwise(chain)]


class Checking:
    """Frames go in as session sends them on, and come back to it with what was found."""

    def __init__(self, bed):
        self.bed = bed

    async def __call__(self, *frames):
        await self.bed.publish(*(each.record(frames_topic("security")) for each in frames))
        return [await self.found(each) for each in frames]

    async def found(self, shown):
        async def told():
            records = await self.bed.read(frames_topic("session"), shown.station_id)
            return [each for each in records if int(each.headers["ocpp_number"]) == shown.number]

        [record] = await eventually(told, bool, what="what was found of a contract")
        assert msgspec.structs.replace(Frame.read(record), contract=b"") == shown
        return msgspec.json.decode(record.headers[CONTRACT_HEADER], type=ContractCheck)


async def trust(client, *authorities, kind="MORootCertificate"):
    for each in authorities:
        answer = await client.post("/certificates", json={"pem": pem(each.certificate), "kind": kind})
        assert answer.status_code == 201


async def test_C07_FR_13_to_17_chains_are_checked_to_a_trusted_root_and_each_certificate_is_asked_about(
    make_bed, station_id, responder
):
    pki = V2gPki.make(responder)
    contract, revoked = pki.contract(EMAID), pki.contract(EMAID)
    stranger = V2gPki.make(responder).contract(EMAID)
    pki.mobility.revoke(revoked)
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        check = Checking(bed)
        await trust(client, pki.mobility)
        [untrusted] = await check(shows(station_id, contract.chain()))
        await trust(client, pki.mobility_root)
        [good] = await check(shows(station_id, contract.chain()))
        asked = len(responder.asked)
        [again, gone, wrong, other] = await check(
            shows(station_id, contract.chain(root=True), version="2.1"),
            shows(station_id, revoked.chain()),
            shows(station_id, stranger.chain(root=True)),
            shows(station_id, contract.chain(), emaid="DE8AAC999999999"),
        )
        pki.mobility_root.revoke(pki.mobility.parent)
        await bed.rows("DELETE FROM status_answer")
        [below] = await check(shows(station_id, contract.chain()))

    assert untrusted.status == "CertChainError"
    assert (good.status, again.status, asked) == ("Accepted", "Accepted", 3)
    assert gone.status == "CertificateRevoked"
    assert (wrong.status, other.status) == ("CertChainError", "CertChainError")
    assert below.status == "CertificateRevoked"


async def test_C07_hashes_alone_are_asked_about_and_a_slow_responder_holds_up_nobody_else(
    make_bed, station_id, responder
):
    pki, away = V2gPki.make(responder), [{"responderURL": "http://127.0.0.1:9/"}]
    contract, revoked = pki.contract(EMAID), pki.contract(EMAID)
    pki.mobility.revoke(revoked)
    bed = make_bed(build)
    with pki_server() as slow:
        slow.authorities, slow.delay_s = responder.authorities, 600.0
        async with bed.running(), bed.client() as client:
            await trust(client, pki.mobility_root, pki.mobility.parent, pki.mobility)
            check = Checking(bed)
            waits = shows(f"{station_id}-slow", named=names(pki.contract(EMAID), slow))
            await bed.publish(waits.record(frames_topic("security")))

            async def asked():
                return slow.asked

            waiting = asyncio.create_task(eventually(asked, bool, what="the slow one is asked"))
            await waiting
            [good, gone] = await check(
                shows(station_id, named=names(contract, responder)),
                shows(station_id, named=names(revoked, responder)),
            )
            strangers = V2gPki.make(slow)
            [stranger, bare] = await check(
                shows(station_id, named=names(strangers.contract(EMAID), responder)), shows(station_id)
            )
            [nobody] = await check(
                shows(station_id, named=[each | away[0] for each in names(pki.contract(EMAID), responder)])
            )

    assert (good.status, gone.status) == ("Accepted", "CertificateRevoked")
    assert (stranger.status, bare.status) == ("CertChainError", "NoCertificateAvailable")
    assert nobody.status == "CertChainError"
    assert "127.0.0.1:9" in nobody.why


async def test_where_responders_are_away_an_operator_may_have_contracts_accepted_and_hashes_alone_refused(
    make_bed, station_id, responder, monkeypatch
):
    monkeypatch.setenv("SECURITY_CONTRACTS_AWAY", "accept")
    monkeypatch.setenv("SECURITY_CONTRACTS_LOCAL", "false")
    monkeypatch.setenv("SECURITY_CONTRACTS_CHECK_WITHIN_S", "1")
    pki = V2gPki.make(responder)
    contract = pki.contract(EMAID)
    responder.delay_s = 600.0
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        await trust(client, pki.mobility_root)
        [slow, local] = await Checking(bed)(
            shows(station_id, contract.chain()), shows(station_id, named=names(contract, responder))
        )

    assert slow.status == "Accepted"
    assert local.status == "NoCertificateAvailable"
