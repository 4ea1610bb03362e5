"""What responses of OCSP responders prove: real ones, signed by real authorities."""

from datetime import UTC, datetime, timedelta

import pytest
from chargebus_certificates import responses
from chargebus_certificates.names import CertificateName, IssuerName, name_of
from chargebus_certificates.proof import NoProofError, UnknownIssuerError
from chargebus_testkit.pki import DAY, Authority, PkiServer
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

KEEP = timedelta(hours=1)
OCSP = [ExtendedKeyUsageOID.OCSP_SIGNING]


class Responder:
    """An authority and what its responder would answer, without a socket between."""

    def __init__(self, **behaviour):
        self.now = datetime.now(UTC)
        self.server = PkiServer(1, **behaviour)
        self.root = Authority.root("a root", self.server)
        self.leaf = self.root.leaf("CS-1").certificate

    def name(self, algorithm=None, leaf=None):
        return name_of(leaf or self.leaf, self.root.certificate, algorithm or hashes.SHA256())

    def answer(self, name=None):
        return self.server.answer(responses.request(name or self.name()))

    def proves(self, response=None, name=None, known=None, after=timedelta()):
        known = [self.root.certificate] if known is None else known
        return responses.read(response or self.answer(), name or self.name(), known, self.now + after, KEEP)


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_a_response_of_the_issuer_says_that_a_certificate_is_good_and_until_when(algorithm):
    responder = Responder()
    name = responder.name(algorithm)
    proof = responder.proves(responder.answer(name), name)
    assert proof.state == "Good"
    assert timedelta(hours=23) < proof.until - responder.now < timedelta(hours=25)


def test_what_is_revoked_or_unknown_is_told_so():
    responder = Responder()
    responder.root.revoke(responder.leaf)
    assert responder.proves().state == "Revoked"
    stranger = responder.name()._replace(serial_number=0xABC)
    assert responder.proves(responder.answer(stranger), stranger).state == "Unknown"


def test_the_issuer_may_come_along_with_the_response():
    responder = Responder()
    assert responder.proves(known=[]).state == "Good"


def test_a_response_that_another_signed_is_worth_nothing():
    responder = Responder()
    responder.server.signer = Authority.root("a root")
    with pytest.raises(UnknownIssuerError, match="certificate of its issuer is not known"):
        responder.proves(known=[])
    with pytest.raises(NoProofError, match="no certificate of the issuer"):
        responder.proves()


def test_a_response_about_another_certificate_is_worth_nothing():
    responder = Responder()
    other = responder.name(leaf=responder.root.leaf("CS-2").certificate)
    with pytest.raises(NoProofError, match="about another certificate"):
        responder.proves(responder.answer(other))


def test_a_response_that_names_the_certificate_by_another_hash_is_not_the_one_that_was_asked_for():
    responder = Responder()
    with pytest.raises(NoProofError, match="about another certificate"):
        responder.proves(responder.answer(responder.name(hashes.SHA1())))


def test_who_the_issuer_has_authorized_may_sign_and_nobody_else():
    responder = Responder()
    root = responder.root
    responder.server.responder = root.leaf("OCSP", usages=OCSP)
    assert responder.proves().state == "Good"
    for usages in ([ExtendedKeyUsageOID.CLIENT_AUTH], []):
        responder.server.responder = root.leaf("a station", usages=usages)
        with pytest.raises(NoProofError, match="lacks OCSPSigning"):
            responder.proves()
    responder.server.responder = Authority.root("another").leaf("OCSP", usages=OCSP)
    with pytest.raises(NoProofError, match="no certificate of the issuer"):
        responder.proves()
    for valid in ((-DAY, timedelta(hours=-1)), (timedelta(minutes=1), DAY)):
        responder.server.responder = root.leaf("OCSP", usages=OCSP, valid=valid)
        with pytest.raises(NoProofError, match="not valid now"):
            responder.proves()


def test_a_response_counts_from_when_it_is_made_until_it_ends_and_not_without_end():
    responder = Responder()
    answer = responder.answer()
    with pytest.raises(NoProofError, match="it counted until"):
        responder.proves(answer, after=2 * DAY)
    with pytest.raises(NoProofError, match="from the future"):
        responder.proves(answer, after=-timedelta(hours=1))
    responder.server.lasts = None
    endless = responder.answer()
    assert responder.proves(endless).until == responder.now + KEEP
    with pytest.raises(NoProofError, match="it is of"):
        responder.proves(endless, after=8 * DAY)


def test_a_response_counts_for_a_week_at_most():
    responder = Responder(lasts=400 * DAY)
    assert responder.proves().until == responder.now + 7 * DAY


@pytest.mark.parametrize("answer", [b"", b"<html>", b"nothing", b"\x30\x00", b"\x30\x03\x0a\x01\x06"])
def test_what_is_no_response_is_worth_nothing(answer):
    responder = Responder()
    with pytest.raises(NoProofError):
        responses.read(answer, responder.name(), (), responder.now, KEEP)


def test_a_response_that_is_signed_in_an_unknown_way_proves_nothing():
    responder = Responder()
    ecdsa_with_sha256, of_nobody = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040377")
    answer = responder.answer()
    assert ecdsa_with_sha256 in answer
    with pytest.raises(NoProofError):
        responder.proves(answer.replace(ecdsa_with_sha256, of_nobody))


def test_a_response_with_any_byte_changed_proves_nothing_else_and_breaks_nothing():
    responder = Responder()
    responder.root.revoke(responder.leaf)
    revoked = responder.answer()
    for at in range(0, len(revoked), 5):
        changed = revoked[:at] + bytes([revoked[at] ^ 0x41]) + revoked[at + 1 :]
        try:
            assert responder.proves(changed).state == "Revoked"
        except NoProofError:
            continue


def test_a_responder_that_refuses_says_why():
    responder = Responder()
    stranger = name_of(responder.leaf, Authority.root("another").certificate, hashes.SHA256())
    with pytest.raises(NoProofError, match="unauthorized"):
        responder.proves(responder.answer(stranger), stranger)


@pytest.mark.parametrize("issuer", [IssuerName(b"", bytes(32)), IssuerName(bytes(32), b"abc")])
def test_a_name_that_names_nothing_is_asked_nobody(issuer):
    with pytest.raises(NoProofError, match="no certificate has such a name"):
        responses.request(CertificateName(hashes.SHA256(), issuer, 1))


def test_a_certificate_says_where_it_may_be_asked_about():
    responder = Responder()
    assert responses.responder(responder.leaf) == responder.server.ocsp_url
    assert responses.responder(Authority.root("nobody to ask").leaf("CS-1").certificate) is None
