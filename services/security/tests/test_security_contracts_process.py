"""Vehicles get contracts: through Kafka, and from a pool over real HTTP."""

import asyncio
import base64
import json
from datetime import UTC, datetime
from itertools import count

import msgspec
import pytest
from chargebus_events.frames import Frame
from chargebus_security.main import build
from chargebus_testkit.asking import Asking
from chargebus_testkit.contract_pool import contract_pool
from chargebus_testkit.waiting import eventually

NUMBERS = count(1)
ISO2, ISO20 = "urn:iso:15118:2:2013:MsgDef", "urn:iso:std:iso:15118:-20:CommonMessages"


@pytest.fixture
def pool(monkeypatch):
    with contract_pool() as pool:
        for name, value in (("POOL", "http"), ("URL", pool.url), ("NETWORKS", '["127.0.0.0/8"]')):
            monkeypatch.setenv(f"SECURITY_CONTRACTS_{name}", value)
        monkeypatch.setenv("SECURITY_CONTRACTS_TOKEN", "a token")
        yield pool


def asks(station_id, exi, version="2.0.1", action="Install", **more):
    number, now = next(NUMBERS), datetime.now(UTC)
    schema = ISO20 if more else ISO2
    payload = {"iso15118SchemaVersion": schema, "action": action, "exiRequest": exi, **more}
    content = msgspec.json.encode(payload)
    return Frame(station_id, version, "Get15118EVCertificate", f"m{number}", 3, 7, number, content, now)


async def test_M01_M02_what_the_pool_says_passes_unread_and_a_pool_that_is_away_is_asked_again(
    make_bed, station_id, pool
):
    pool.contracts = {"aW5zdGFsbA==": [("x" * 7500, "DE8AAC12345678")], "dXBkYXRl": [("anything", "")]}
    pool.statuses = [503, 200]
    bed = make_bed(build)
    async with bed.running():
        ask = Asking(bed)
        [installed] = await ask(asks(station_id, "aW5zdGFsbA=="))
        [updated] = await ask(asks(station_id, "dXBkYXRl", "2.1", "Update"))
        [unknown] = await ask(asks(station_id, "bm9ib2R5"))
        pool.body = b"<html>"
        [unreadable] = await ask(asks(station_id, "dXBkYXRl"))

    assert installed == {"status": "Accepted", "exiResponse": "x" * 7500}
    assert updated == {"status": "Accepted", "exiResponse": "anything"}
    assert pool.asked[0] == pool.asked[1] == {"certificateInstallationReq": "aW5zdGFsbA==", "xsdMsgDefNamespace": ISO2}
    assert (unknown["status"], unknown["statusInfo"]["additionalInfo"]) == (
        "Failed",
        "the pool has no contract for this vehicle (404)",
    )
    assert "cannot be read" in unreadable["statusInfo"]["additionalInfo"]
    assert len(pool.asked) == 5


async def test_M01_a_vehicle_of_iso_15118_20_gets_its_contracts_one_by_one_those_first_that_it_prefers(
    make_bed, station_id, pool
):
    exi = "A" * 11_000
    pool.contracts = {exi: [("first", "DE8AAC00000001"), ("y" * 17_000, "DE8AAC00000002"), ("third", "")]}
    bed = make_bed(build)
    async with bed.running():
        ask = Asking(bed)
        more = {"maximumContractCertificateChains": 2, "prioritizedEMAIDs": ["DE-8AA-C00000002"]}
        given = [(await ask(asks(station_id, exi, "2.1", **more)))[0] for _ in range(2)]

    assert given == [
        {"status": "Accepted", "exiResponse": "y" * 17_000, "remainingContracts": 1},
        {"status": "Accepted", "exiResponse": "first", "remainingContracts": 0},
    ]


async def test_a_slow_pool_holds_up_nobody_else_and_a_station_that_asks_too_often_is_refused_at_once(
    make_bed, station_id, pool, monkeypatch
):
    monkeypatch.setenv("SECURITY_CONTRACTS_PER_HOUR", "2")
    monkeypatch.setenv("SECURITY_CONTRACTS_WITHIN_S", "6")
    pool.contracts = {"c2xvdw==": [("x", "")]}
    pool.delay_s = 600.0
    bed = make_bed(build)
    async with bed.running():
        ask = Asking(bed)
        slow = [asks(station_id, "c2xvdw==") for _ in range(2)]
        waiting = asyncio.create_task(ask(*slow))

        async def asked():
            return pool.asked

        await eventually(asked, bool, what="the pool is asked")
        [refused] = await ask(asks(station_id, "c2xvdw=="))
        failed = await waiting

    assert refused["statusInfo"]["reasonCode"] == "TooManyRequests"
    assert [each["status"] for each in failed] == ["Failed", "Failed"]
    assert all("within 6 s" in each["statusInfo"]["additionalInfo"] for each in failed)


async def test_a_token_is_fetched_for_a_clients_secret_and_anew_where_it_is_not_taken_any_more(
    make_bed, station_id, pool, monkeypatch
):
    for name, value in (("TOKEN_URL", pool.token_url), ("CLIENT_ID", "csms"), ("CLIENT_SECRET", "secret")):
        monkeypatch.setenv(f"SECURITY_CONTRACTS_{name}", value)
    pool.contracts = {"YQ==": [("x", "")]}
    bed = make_bed(build)
    async with bed.running():
        ask = Asking(bed)
        before = [(await ask(asks(station_id, "YQ==")))[0]["status"] for _ in range(2)]
        given = pool.given
        pool.tokens.clear()
        [after] = await ask(asks(station_id, "YQ=="))

    assert (before, given, after["status"]) == (["Accepted", "Accepted"], 1, "Accepted")
    assert (pool.refused, pool.given) == (1, 2)


async def test_without_a_pool_a_vehicle_is_told_so_and_the_pool_for_trials_knows_the_vehicles_it_is_told_of(
    make_bed, station_id, monkeypatch
):
    exi = base64.b64encode(b"\x80\x01 WMIV1234567890ABCD \xff").decode()
    async with (bed := make_bed(build)).running():
        [nowhere] = await Asking(bed)(asks(station_id, exi))
    monkeypatch.setenv("SECURITY_CONTRACTS_POOL", "test")
    vehicles = {"WMIV1234567890ABCD": "DE8AAC123456780"}
    monkeypatch.setenv("SECURITY_CONTRACTS_TEST_VEHICLES", json.dumps(vehicles))
    async with (bed := make_bed(build)).running():
        [known, stranger] = await Asking(bed)(asks(station_id, exi), asks(station_id, "YQ=="))

    assert (nowhere["status"], nowhere["statusInfo"]["reasonCode"]) == ("Failed", "NotEnabled")
    assert known["status"] == "Accepted"
    assert b"DE8AAC123456780" in base64.b64decode(known["exiResponse"])
    assert "SECURITY_CONTRACTS_TEST_VEHICLES" in stranger["statusInfo"]["additionalInfo"]
