"""Stations ask for the status of certificates: through Kafka, and to a responder over real HTTP."""

import asyncio
import base64
from datetime import UTC, datetime
from itertools import count

import msgspec
import pytest
from chargebus_events.frames import Frame
from chargebus_events.topics import frames_topic
from chargebus_security.inventory.domain.hashes import hash_data
from chargebus_security.main import build
from chargebus_testkit.asking import Asking
from chargebus_testkit.pki import Authority, pem, pki_server
from chargebus_testkit.waiting import eventually
from cryptography.x509 import ocsp

NUMBERS = count(1)


@pytest.fixture
def responder():
    with pki_server() as server:
        yield server


@pytest.fixture
def allowed(monkeypatch):
    monkeypatch.setenv("SECURITY_STATUS_ALLOWED_NETWORKS", '["127.0.0.0/8"]')
    monkeypatch.setenv("SECURITY_STATUS_WITHIN_S", "20")


def frame(station_id, action, payload, version="2.1"):
    number = next(NUMBERS)
    now = datetime.now(UTC)
    return Frame(station_id, version, action, f"m{number}", 3, 7, number, msgspec.json.encode(payload), now)


def asks(station_id, authority, leaf, url, version="2.0.1"):
    named = hash_data(leaf.certificate, authority.certificate).members()
    payload = {"ocspRequestData": {**named, "responderURL": url}}
    return frame(station_id, "GetCertificateStatus", payload, version)


async def was_asked(responder):
    async def asked():
        return responder.asked

    await eventually(asked, bool, what="the responder is asked")


async def test_M06_a_responder_is_asked_once_and_its_answer_goes_to_every_station_that_asks(
    make_bed, station_id, responder, allowed
):
    root = Authority.root("V2G", responder)
    leaf = root.leaf("SECC")
    bed = make_bed(build)
    async with bed.running():
        ask = Asking(bed)
        [first] = await ask(asks(station_id, root, leaf, responder.ocsp_url))
        others = await ask(*(asks(f"{station_id}-{n}", root, leaf, responder.ocsp_url, "2.1") for n in range(3)))

    assert first["status"] == "Accepted"
    response = ocsp.load_der_ocsp_response(base64.b64decode(first["ocspResult"]))
    assert response.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert response.serial_number == leaf.certificate.serial_number
    assert others == [first] * 3
    assert len(responder.asked) == 1


async def test_M06_a_responder_that_is_slow_or_away_holds_up_nobody_else_and_its_call_fails_in_words(
    make_bed, station_id, responder, allowed, monkeypatch
):
    root = Authority.root("V2G", responder)
    leaf, other = root.leaf("SECC"), root.leaf("another")
    with pki_server() as slow:
        slow.authorities.append(root)
        slow.delay_s = 3.0
        bed = make_bed(build)
        async with bed.running():
            ask = Asking(bed)
            waiting = asyncio.create_task(ask(asks(f"{station_id}-slow", root, leaf, slow.ocsp_url)))
            await was_asked(slow)
            [quick] = await ask(asks(station_id, root, other, responder.ocsp_url))
            done_before = waiting.done()
            [slowly] = await waiting
            [nobody] = await ask(asks(station_id, root, leaf, "http://127.0.0.1:9/ocsp"))
            [forbidden] = await ask(asks(station_id, root, leaf, "http://169.254.169.254/ocsp"))

    assert not done_before
    assert (quick["status"], slowly["status"]) == ("Accepted", "Accepted")
    assert (nobody["status"], nobody["statusInfo"]["reasonCode"]) == ("Failed", "OCSPFailed")
    assert "http://127.0.0.1:9/ocsp" in nobody["statusInfo"]["additionalInfo"]
    assert "SECURITY_STATUS_ALLOWED_NETWORKS" in forbidden["statusInfo"]["additionalInfo"]


async def test_M07_a_chain_is_asked_by_ocsp_and_by_lists_and_fails_where_nobody_can_say(
    make_bed, station_id, responder, allowed
):
    root = Authority.root("OEM root", responder)
    sub = root.sub("OEM Sub-CA")
    vehicle = sub.leaf("WMIV1234567890ABCDEX")
    gone = sub.leaf("a stolen one")
    sub.revoke(gone)

    def part(certificate, issuer, source, *urls):
        named = hash_data(certificate, issuer.certificate).members()
        return {"certificateHashData": named, "source": source, "urls": list(urls)}

    payload = {
        "certificateStatusRequests": [
            part(vehicle.certificate, sub, "OCSP", "http://127.0.0.1:9/", responder.ocsp_url),
            part(sub.certificate, root, "CRL", responder.crl_url(root)),
            part(gone.certificate, sub, "CRL", responder.crl_url(sub)),
            part(vehicle.certificate, sub, "CRL", responder.crl_url(root)),
        ]
    }
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        chain = {"pem": pem(sub.certificate) + pem(root.certificate), "name": "OEM"}
        assert (await client.post("/certificates", json=chain)).status_code == 201
        [told] = await Asking(bed)(frame(station_id, "GetCertificateChainStatus", payload))

    statuses = told["certificateStatus"]
    assert [each["status"] for each in statuses] == ["Good", "Good", "Revoked", "Failed"]
    assert [each["certificateHashData"] for each in statuses] == [
        each["certificateHashData"] for each in payload["certificateStatusRequests"]
    ]
    assert all(each["nextUpdate"] for each in statuses)


async def test_a_call_that_a_copy_died_over_is_answered_by_the_next_and_one_that_nobody_waits_for_is_dropped(
    make_bed, station_id, responder, allowed
):
    root = Authority.root("V2G", responder)
    leaf = root.leaf("SECC")
    bed = make_bed(build)
    asked = asks(station_id, root, leaf, responder.ocsp_url)
    responder.delay_s = 30.0
    async with bed.running():
        await bed.publish(asked.record(frames_topic("security")))
        await was_asked(responder)
    responder.delay_s = 0.0
    [(left,)] = await bed.rows("SELECT count(*) FROM waiting_call WHERE claimed_until IS NOT NULL")
    await bed.rows(
        "INSERT INTO waiting_call SELECT 'x', station_id, action, '', now() - interval '30 minutes', "
        "now() + interval '1 hour', '', frame FROM waiting_call"
    )
    async with bed.running():
        assert (await Asking(bed).answer(asked))["status"] == "Accepted"
        await eventually(
            lambda: bed.rows("SELECT outcome FROM waiting_call ORDER BY received_at"),
            lambda rows: rows == [("expired",), ("asked",)],
            what="nobody waits",
        )
    assert left == 1
