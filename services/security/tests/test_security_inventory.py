"""Certificates that are known: read, found, told before they run out."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_events.public import CERTIFICATE_EXPIRING, CertificateExpiring
from chargebus_events.topics import SECURITY_EVENTS
from chargebus_security.inventory.domain.certificate import Certificate, described, read_pem, root_objection
from chargebus_security.inventory.domain.expiry import scheduled, told
from chargebus_security.inventory.domain.hashes import hash_data
from chargebus_security.inventory.errors import UnreadableCertificateError
from chargebus_security.main import build
from chargebus_testkit.pki import DAY, Authority, key_pem, make_key, pem
from chargebus_testkit.waiting import eventually

NOW = datetime.now(UTC)
DAYS = (30.0, 7.0, 0.0)


def known(**more):
    return Certificate(certificate_id="c", source="uploaded", added_at=NOW, **more)


def test_a_chain_is_read_in_its_order_with_text_between():
    root = Authority.root()
    leaf = root.leaf("CS-1")
    found = read_pem(f"Bag Attributes\r\n{leaf.pem}\nsubject=x\n{pem(root.certificate)}")
    assert found == [leaf.certificate, root.certificate]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no certificate in it"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "certificate 1 is unreadable"),
        ("-----BEGIN CERTIFICATE-----\nnot base64 at all!\n-----END CERTIFICATE-----", "certificate 1 is unreadable"),
        (key_pem(make_key()), "a private key"),
        ("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----", "block 1 is no certificate but a X509 CRL"),
        (pem(Authority.root().certificate) * 21, "20 are read at most"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "block 1 has no end"),
        ("-----BEGIN A-----" * 100_000, "block 1 has no end"),
        ("-----BEGIN A-----\n-----END A-----" * 100_000, "20 are read at most"),
        ("-----BEGIN " + "A " * 1_000_000, "no certificate in it"),
    ],
)
def test_what_is_no_certificate_is_refused_in_words(text, why):
    with pytest.raises(UnreadableCertificateError, match=why):
        read_pem(text)


def test_a_leaf_or_what_has_run_out_is_no_root():
    root, late = Authority.root(), Authority.root(valid=(-3 * DAY, -DAY))
    leaf = described(root.leaf("CS-1").certificate, [root.certificate], "uploaded", NOW)
    assert "no authority's certificate" in root_objection(leaf, NOW)
    assert "ran out" in root_objection(described(late.certificate, [], "uploaded", NOW), NOW)
    assert root_objection(described(root.certificate, [], "uploaded", NOW), NOW) == ""


def test_each_threshold_is_told_once_and_the_narrowest_of_those_that_were_missed():
    certificate = scheduled(known(not_after=NOW + 40 * DAY), DAYS)
    assert certificate.expiring_at == NOW + 10 * DAY
    assert told(certificate, DAYS, NOW)[1] is None
    after, days = told(certificate, DAYS, NOW + 11 * DAY)
    assert (days, after.expiring_at) == (30.0, NOW + 33 * DAY)
    assert told(after, DAYS, NOW + 12 * DAY)[1] is None
    after, days = told(after, DAYS, NOW + 41 * DAY)
    assert (days, after.expiring_at) == (0.0, None)


def test_of_what_was_replaced_nothing_is_told():
    assert scheduled(known(not_after=NOW + DAY, replaced_at=NOW), DAYS).expiring_at is None


async def test_certificates_are_uploaded_found_named_and_forgotten(make_bed):
    root = Authority.root("Chargebus test root")
    sub = root.sub("Chargebus test sub")
    leaf = sub.leaf("CS-1", valid=(-DAY, 5 * DAY))
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        # The intermediate comes first: how stations name it is known once its issuer is.
        [first] = (await client.post("/certificates", json={"pem": pem(sub.certificate)})).json()["items"]
        both = {"pem": leaf.pem + pem(root.certificate), "name": "ours", "kind": "CSMSRootCertificate"}
        answer = await client.post("/certificates", json=both)
        assert answer.status_code == 201
        again = await client.post("/certificates", json=both)
        found_leaf, found_root = answer.json()["items"]
        [[keys]] = await bed.rows(
            "SELECT hash_keys FROM certificate WHERE certificate_id = $1", first["certificate_id"]
        )

        listed = (await client.get("/certificates", params={"q": "chargebus TEST"})).json()["items"]
        soon = {"expires_before": (NOW + 6 * DAY).isoformat().replace("+00:00", "Z")}
        expiring = (await client.get("/certificates", params=soon)).json()["items"]
        unreadable = await client.post("/certificates", json={"pem": "-----BEGIN CERTIFICATE-----"})
        where = f"/certificates/{found_root['certificate_id']}"
        named = await client.put(where, json={"name": "the root", "in_use": True})
        in_use = await client.delete(where)
        await client.put(where, json={"name": "the root"})
        gone = await client.delete(where)
        missing = await client.get(where)

    assert again.json() == answer.json()
    assert hash_data(sub.certificate, root.certificate).key in keys
    assert (found_leaf["key"], found_leaf["is_authority"], found_root["is_self_signed"]) == (
        "EC secp256r1",
        False,
        True,
    )
    assert {each["subject"] for each in listed} >= {"CN=Chargebus test root", "CN=Chargebus test sub"}
    assert [each["certificate_id"] for each in expiring] == [found_leaf["certificate_id"]]
    assert unreadable.status_code == 422
    assert "no certificate in it" in unreadable.json()["errors"][0]["error"]
    assert (named.json()["name"], named.json()["in_use"]) == ("the root", True)
    assert (in_use.status_code, gone.status_code, missing.status_code) == (409, 204, 404)


async def test_it_is_told_once_for_each_threshold_that_a_certificate_runs_out(make_bed, monkeypatch):
    monkeypatch.setenv("SECURITY_EXPIRING_DAYS", "[30, 1]")
    monkeypatch.setattr("chargebus_security.inventory.tasks._EVERY_S", 0.1)
    root = Authority.root(valid=(-DAY, 20 * DAY))
    bed = make_bed(build)
    async with bed.running(), bed.client() as client:
        answer = await client.post("/certificates", json={"pem": pem(root.certificate), "kind": "V2GRootCertificate"})
        certificate_id = answer.json()["items"][0]["certificate_id"]

        async def events():
            records = await bed.read(SECURITY_EVENTS, certificate_id)
            return [each for each in records if each.type == CERTIFICATE_EXPIRING]

        first = await eventually(events, bool, what="it is told that the certificate runs out")
        await bed.rows(
            "UPDATE certificate SET not_after = $1, expiring_at = now()", datetime.now(UTC) + timedelta(hours=3)
        )
        both = await eventually(events, lambda found: len(found) > len(first), what="it is told again")

    assert len(first) == 1
    assert len(both) == 2
    body = msgspec.json.decode(first[0].value or b"", type=CertificateExpiring)
    assert (body.certificate_id, body.kind, body.replaced) == (certificate_id, "V2GRootCertificate", False)
    assert both[0].headers["ce_id"] != both[1].headers["ce_id"]
