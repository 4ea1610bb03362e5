"""What lists of revoked certificates prove."""

from datetime import UTC, datetime, timedelta

import pytest
from chargebus_certificates import lists
from chargebus_certificates.proof import NoProofError
from chargebus_testkit.pki import DAY, Authority, PkiServer, make_key, name
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

KEEP = timedelta(hours=1)
NO_POINT = {
    **dict.fromkeys(("full_name", "relative_name", "only_some_reasons")),
    **dict.fromkeys(("only_contains_user_certs", "only_contains_ca_certs"), False),
    **dict.fromkeys(("indirect_crl", "only_contains_attribute_certs"), False),
}


@pytest.fixture
def now():
    return datetime.now(UTC)


@pytest.fixture
def root():
    return Authority.root("a root", PkiServer(1))


def list_of(root, *extensions, ends=DAY, critical=True):
    """Return a list as it came, with these extensions."""
    began = datetime.now(UTC) - DAY
    builder = x509.CertificateRevocationListBuilder().issuer_name(root.certificate.subject).last_update(began)
    builder = builder.next_update(began + DAY + ends)
    for serial, at in root.revoked.items():
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        builder = builder.add_revoked_certificate(entry)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(root.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_list_says_what_is_revoked_and_that_all_else_is_good(root, now):
    good, bad = (root.leaf("CS-1").certificate for _ in range(2))
    root.revoke(bad)
    pem = x509.load_der_x509_crl(root.crl()).public_bytes(Encoding.PEM)
    for content in (root.crl(), pem):
        read = lists.read(content)
        assert read.is_of(root.certificate)
        proof = read.proof(good.serial_number, now, KEEP)
        assert proof.state == "Good"
        assert timedelta(hours=23) < proof.until - now < timedelta(hours=25)
        assert read.proof(bad.serial_number, now, KEEP).state == "Revoked"


def test_a_list_that_is_over_tells_still_what_it_has(root, now):
    good, bad = (root.leaf("CS-1").certificate for _ in range(2))
    root.revoke(bad)
    read = lists.read(root.crl())
    with pytest.raises(NoProofError, match="it counted until"):
        read.proof(good.serial_number, now + 2 * DAY, KEEP)
    assert read.proof(bad.serial_number, now + 2 * DAY, KEEP) == ("Revoked", now + 2 * DAY + KEEP)


def test_a_list_counts_for_a_week_at_most_and_not_from_the_future(root, now):
    assert lists.read(root.crl(ends=400 * DAY)).proof(1, now, KEEP).until == now + 7 * DAY
    with pytest.raises(NoProofError, match="from the future"):
        lists.read(root.crl()).proof(1, now - timedelta(hours=1), KEEP)


def test_a_list_is_of_whose_key_has_signed_it_and_who_may_sign_lists(root):
    read = lists.read(root.crl())
    assert read.is_of(root.certificate)
    assert not read.is_of(Authority.root("a root").certificate)
    assert not read.is_of(Authority.root("another", key=root.key).certificate)
    unfit = x509.KeyUsage(
        **dict.fromkeys(("digital_signature", "key_cert_sign"), True),
        **dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment"), False),
        **dict.fromkeys(("key_agreement", "crl_sign", "encipher_only", "decipher_only"), False),
    )
    key, now = make_key(), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name("unfit")).issuer_name(name("unfit"))
    builder = builder.public_key(key.public_key()).serial_number(1).not_valid_before(now).not_valid_after(now + DAY)
    signs_no_lists = builder.add_extension(unfit, critical=True).sign(key, hashes.SHA256())
    assert not lists.read(list_of(Authority(signs_no_lists, key, None, None))).is_of(signs_no_lists)


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize(
    ("scope", "why"),
    [
        ({"indirect_crl": True}, "others than its issuer"),
        ({"only_some_reasons": frozenset({x509.ReasonFlags.key_compromise})}, "for some reasons"),
        ({"only_contains_user_certs": True}, "one kind"),
        ({"only_contains_ca_certs": True}, "one kind"),
        ({"only_contains_attribute_certs": True}, "one kind"),
    ],
)
def test_a_list_of_a_part_is_refused_whether_that_is_critical_or_not(root, scope, why, critical):
    part = list_of(root, x509.IssuingDistributionPoint(**NO_POINT | scope), critical=critical)
    with pytest.raises(NoProofError, match=why):
        lists.read(part)


def test_a_list_of_changes_and_one_with_what_nobody_knows_are_refused(root):
    with pytest.raises(NoProofError, match="has changed since another"):
        lists.read(list_of(root, x509.DeltaCRLIndicator(1), critical=False))
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    with pytest.raises(NoProofError, match=r"1\.2\.3\.4"):
        lists.read(list_of(root, strange))
    assert lists.read(list_of(root, strange, critical=False)).is_of(root.certificate)


def test_a_list_for_other_certificates_of_its_issuer_does_not_cover_this_one(root):
    leaf = root.leaf("CS-1").certificate
    own = x509.UniformResourceIdentifier(root.server.crl_url(root))
    other = x509.UniformResourceIdentifier("http://pki.example.com/part-2.crl")
    nowhere = Authority.root("another").leaf("CS-1").certificate
    for points, certificate, covers in (
        ([own], leaf, True),
        ([other], leaf, False),
        ([other, own], leaf, True),
        ([other], nowhere, True),
    ):
        point = x509.IssuingDistributionPoint(**NO_POINT | {"full_name": points})
        assert lists.read(list_of(root, point)).covers(certificate) is covers
    assert lists.read(root.crl()).covers(leaf)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", b"\x30\x00"]
)
def test_what_is_no_list_is_refused(content):
    with pytest.raises(NoProofError, match="no list of revoked certificates"):
        lists.read(content)
