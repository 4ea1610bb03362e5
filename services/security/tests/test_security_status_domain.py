"""What answers of responders and lists of revoked certificates prove: real ones, signed by real authorities."""

import hashlib
import sys
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_certificates import lists
from chargebus_certificates.proof import NoProofError
from chargebus_security.inventory.domain.hashes import HashData, hash_data, issuer_keys_of, keys_of
from chargebus_security.status.domain import proofs
from chargebus_security.status.domain.asked import Question
from chargebus_testkit.pki import DAY, Authority, PkiServer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NOW = datetime.now(UTC)
KEEP = timedelta(hours=1)


def asked(named, *urls):
    return Question(named, "CRL", urls)


@pytest.fixture(autouse=True)
def now(monkeypatch):
    """Have it be the time of the test: it may run long after this file was read."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC))


class Responder:
    """An authority and what its responder would answer, without a socket between."""

    def __init__(self, **behaviour):
        self.server = PkiServer(1, **behaviour)
        self.root = Authority.root("a root", self.server)
        self.leaf = self.root.leaf("CS-1").certificate

    def named(self, algorithm="SHA256"):
        return hash_data(self.leaf, self.root.certificate, algorithm)

    def answer(self, named=None):
        return self.server.answer(proofs.request(named or self.named()))

    def proves(self, response=None, named=None, known=(), now=None):
        return proofs.of_response(response or self.answer(), named or self.named(), known, now or NOW, KEEP)


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_M06_an_answer_of_the_issuer_says_that_a_certificate_is_good_and_until_when(algorithm):
    responder = Responder()
    named = responder.named(algorithm)
    found = responder.proves(responder.answer(named), named)
    assert (found.status, found.why) == ("Good", "")
    assert timedelta(hours=23) < found.next_update - NOW < timedelta(hours=25)
    assert proofs.of_response(found.response, named, (), NOW, KEEP).status == "Good"


def test_M06_what_is_revoked_or_unknown_is_told_so():
    responder = Responder()
    responder.root.revoke(responder.leaf)
    assert responder.proves().status == "Revoked"
    stranger = msgspec.structs.replace(responder.named(), serial_number="ABC")
    unknown = responder.proves(responder.answer(stranger), stranger)
    assert (unknown.status, unknown.next_update) == ("Unknown", NOW + timedelta(minutes=5))


def test_an_answer_that_another_signed_is_worth_nothing():
    responder = Responder()
    forger = Authority.root("a root")
    responder.server.signer = forger
    with pytest.raises(NoProofError, match="certificate of its issuer is not known"):
        responder.proves()
    with pytest.raises(NoProofError, match="no certificate of the issuer"):
        responder.proves(known=[responder.root.certificate])


def test_an_answer_counts_from_when_it_is_made_until_it_ends_and_not_without_end():
    responder = Responder()
    answer = responder.answer()
    with pytest.raises(NoProofError, match="it counted until"):
        responder.proves(answer, now=NOW + 2 * DAY)
    with pytest.raises(NoProofError, match="from the future"):
        responder.proves(answer, now=NOW - DAY)
    responder.server.lasts = None
    endless = responder.answer()
    assert responder.proves(endless).next_update == NOW + KEEP
    with pytest.raises(NoProofError, match="it is of"):
        responder.proves(endless, now=NOW + 8 * DAY)


def test_an_answer_and_a_list_count_for_a_week_at_most():
    responder = Responder()
    root, week = responder.root, NOW + 7 * DAY
    responder.server.lasts = 400 * DAY
    assert responder.proves().next_update == week
    listed = lists.read(root.crl(ends=400 * DAY))
    assert proofs.of_list(listed, asked(responder.named()), [root.certificate], NOW, KEEP).next_update == week


@pytest.mark.parametrize(
    ("member", "value"), [("issuer_key_hash", "abc"), ("serial_number", ""), ("issuer_name_hash", "")]
)
def test_a_name_that_names_nothing_is_asked_nobody(member, value):
    named = Responder().named()
    wrong = msgspec.structs.replace(named, **{member: value})
    with pytest.raises(NoProofError, match="names no certificate"):
        proofs.request(wrong)


def test_a_list_says_what_is_revoked_and_that_all_else_is_good():
    responder = Responder()
    root, named = responder.root, responder.named()
    known = [root.certificate]
    assert proofs.of_list(lists.read(root.crl()), asked(named), known, NOW, KEEP).status == "Good"
    root.revoke(responder.leaf)
    pem = x509.load_der_x509_crl(root.crl()).public_bytes(Encoding.PEM)
    found = proofs.of_list(lists.read(pem), asked(named), known, NOW, KEEP)
    assert found.status == "Revoked"
    assert found.next_update > NOW + timedelta(hours=23)


def test_a_list_that_is_old_forged_or_of_nobody_known_is_worth_nothing():
    responder = Responder()
    root, named = responder.root, responder.named()
    with pytest.raises(NoProofError, match="it counted until"):
        proofs.of_list(lists.read(root.crl(begins=-2 * DAY, ends=-DAY)), asked(named), [root.certificate], NOW, KEEP)
    with pytest.raises(NoProofError, match="issuer is not known"):
        proofs.of_list(lists.read(root.crl()), asked(named), [], NOW, KEEP)
    forged = Authority.root("a root").crl()
    with pytest.raises(NoProofError, match="not signed by the certificate's issuer"):
        proofs.of_list(lists.read(forged), asked(named), [root.certificate], NOW, KEEP)
    with pytest.raises(NoProofError, match="no list"):
        lists.read(b"<html>")


def test_stations_write_the_same_name_in_many_ways():
    responder = Responder()
    named, root = responder.named(), responder.root.certificate
    loud = HashData(
        "SHA256",
        "0x" + named.issuer_name_hash.upper(),
        ":".join(named.issuer_key_hash[i : i + 2] for i in range(0, 64, 2)),
        "00" + named.serial_number.upper(),
    )
    assert loud != named
    assert loud.key == named.key
    assert loud.key in keys_of(responder.leaf, root)
    assert loud.issuer_key in issuer_keys_of(root)
    assert responder.proves(named=loud, known=[root]).status == "Good"


def test_what_an_intermediate_has_signed_is_known_by_the_intermediates_own_name():
    sub = Authority.root("a root").sub("an intermediate")
    named = hash_data(sub.leaf("CS-1").certificate, sub.certificate)
    assert named.issuer_key in issuer_keys_of(sub.certificate)
    assert named.issuer_key not in issuer_keys_of(sub.parent.certificate)


def test_hashes_are_those_of_the_issuers_name_and_of_its_key_alone():
    """As OCPP has them: the key without tag and length, the serial number without leading zeros."""
    root = Authority.root("a root").certificate
    key = root.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    named = hash_data(root, root)
    assert named.issuer_key_hash == hashlib.sha256(key).hexdigest()
    assert named.issuer_name_hash == hashlib.sha256(root.issuer.public_bytes()).hexdigest()
    assert int(named.serial_number, 16) == root.serial_number
    assert not named.serial_number.startswith("0")


def test_a_list_for_certificates_that_name_other_points_says_nothing():
    responder = Responder()
    root, point = responder.root, "http://pki.example.com/part-2.crl"
    listed = lists.read(root.crl())
    listed.points = frozenset({point})
    with pytest.raises(NoProofError, match="for other certificates"):
        proofs.of_list(listed, asked(responder.named()), [root.certificate], NOW, KEEP)
    named = asked(responder.named(), "http://pki/", point)
    assert proofs.of_list(listed, named, [root.certificate], NOW, KEEP).status == "Good"
