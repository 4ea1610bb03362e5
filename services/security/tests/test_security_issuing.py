"""The built-in authority: certificates that OpenSSL's rules take, lists and OCSP answers that say what was revoked."""

import asyncio
import logging
import stat
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from chargebus_security.authorities import store
from chargebus_security.authorities.domain import issuing
from chargebus_security.authorities.domain.issuing import AuthorityFilesError, Issuer, Revocation, checked
from chargebus_security.authorities.domain.profiles import COMBINED, STATION, V2G, Later, Profile, leading_up
from chargebus_security.authorities.domain.requests import read
from chargebus_security.authorities.operations.built_in import BuiltIn
from chargebus_security.authorities.operations.files import AuthorityFiles
from chargebus_testkit.pki import DAY, Authority, csr, key_pem, make_key, name, pem
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)
URL = "http://csms.example.com/pki"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    made, _ = issuing.made("Acme", NOW)
    return Issuer(made.key, made.certificate, made.above, URL)


def issued(issuer, certificate_type=STATION, valid=YEAR, kind="P-256"):
    request = read(csr(make_key(kind), name("CS-1", "Acme"), sans=["evil.example.com"]))
    return issuing.issue(issuer, request, Profile(certificate_type, valid), NOW)


@pytest.mark.parametrize("kind", ["P-256", "P-384", "RSA-2048"])
def test_a_stations_certificate_leads_to_the_root_as_a_client(issuer, kind):
    certificate = issued(issuer, kind=kind)
    chain = leading_up(certificate, (issuer.root, *issuer.intermediates))

    assert chain == (certificate, *issuer.intermediates)
    certificate.verify_directly_issued_by(issuer.certificate)
    issuer.certificate.verify_directly_issued_by(issuer.root)
    assert certificate.not_valid_before_utc < NOW


@pytest.mark.parametrize(
    ("certificate_type", "uses"),
    [
        (STATION, [ExtendedKeyUsageOID.CLIENT_AUTH]),
        (V2G, [ExtendedKeyUsageOID.SERVER_AUTH]),
        (COMBINED, [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
    ],
)
def test_a_certificate_is_for_what_it_was_asked_for_and_nothing_else_of_the_request_counts(
    issuer, certificate_type, uses
):
    extensions = issued(issuer, certificate_type).extensions

    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == uses
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        extensions.get_extension_for_class(x509.SubjectAlternativeName)
    (point,) = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name[0].value == f"{URL}/issuing.crl"


@pytest.mark.parametrize(("certificate_type", "domain"), [(STATION, ""), (V2G, "CPO")])
def test_who_is_certified_is_common_name_and_organization_alone(issuer, certificate_type, domain):
    request = read(csr(make_key(), name("CS-1", "Acme", serial_number="CS-9", domain="CPO")))
    certificate = issuing.issue(issuer, request, Profile(certificate_type, YEAR), NOW)

    assert certificate.subject == name("CS-1", "Acme", domain=domain)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nMIIB"], ids=["empty", "half"])
def test_a_root_that_cannot_be_read_changes_nothing(tmp_path, content):
    used = files(tmp_path)
    used.open()
    before = used.issuer()
    (tmp_path / "issuing.pem").write_text(pem(before.certificate))
    (tmp_path / "root.pem").write_bytes(content)

    assert used.issuer() == before


async def test_an_authority_that_has_ended_signs_later(tmp_path):
    used = files(tmp_path)
    used.open()
    authority = BuiltIn(used, None, lambda: NOW + 11 * YEAR)
    answer = await authority.sign(read(csr(make_key(), name("CS-1"))), Profile(STATION, YEAR))

    assert isinstance(answer, Later)
    assert "ran out" in answer.why


async def test_the_list_is_made_by_one_at_a_time_and_anew_only_after_a_revocation(tmp_path, monkeypatch):
    used, told, built = files(tmp_path), [(1, NOW)], []

    async def revocations(*_):
        await asyncio.sleep(0)
        return told[-1]

    async def revoked(*_):
        return []

    def make(*_):
        built.append(NOW)
        return str(len(built)).encode()

    monkeypatch.setattr(store, "revocations", revocations)
    monkeypatch.setattr(store, "revoked", revoked)
    monkeypatch.setattr(issuing, "revocation_list", make)
    used.open()
    times = [NOW]
    database = SimpleNamespace(pool=SimpleNamespace(acquire=nullcontext))
    authority = BuiltIn(used, database, lambda: times[-1])

    assert await asyncio.gather(*(authority.revocation_list() for _ in range(5))) == [b"1"] * 5
    times.append(NOW + timedelta(hours=1))
    assert await authority.revocation_list() == b"1"
    told.append((2, NOW + timedelta(hours=1)))
    assert await authority.revocation_list() == b"1"
    times.append(NOW + timedelta(hours=1, seconds=6))
    assert await authority.revocation_list() == b"2"
    times.append(NOW + timedelta(hours=14))
    assert await authority.revocation_list() == b"3"


async def test_an_ocsp_answer_is_kept_until_the_certificate_is_revoked(tmp_path, monkeypatch):
    used, found = files(tmp_path), SimpleNamespace(revoked_at=None, revocation_reason="superseded")

    async def find(_connection, _authority, serial_number):
        found.serial_number = serial_number
        return found

    monkeypatch.setattr(store, "find", find)
    used.open()
    times = [NOW]
    database = SimpleNamespace(pool=SimpleNamespace(acquire=nullcontext))
    authority = BuiltIn(used, database, lambda: times[-1])
    own = used.issuer()

    async def told(*, nonce=False):
        builder = ocsp.OCSPRequestBuilder().add_certificate(own.certificate, own.certificate, hashes.SHA1())
        if nonce:
            builder = builder.add_extension(x509.OCSPNonce(b"0123456789abcdef"), critical=False)
        return await authority.ocsp(builder.build().public_bytes(serialization.Encoding.DER))

    first = await told()
    assert await told() == first
    assert await told(nonce=True) != await told(nonce=True)  # ECDSA signs anew each time
    found.revoked_at = NOW
    revoked = await told()
    assert ocsp.load_der_ocsp_response(revoked).certificate_status == ocsp.OCSPCertStatus.REVOKED
    assert await told() == revoked
    times.append(NOW + timedelta(minutes=6))
    assert await told() != revoked


def test_no_certificate_outlives_its_authority(issuer):
    assert issued(issuer, valid=100 * YEAR).not_valid_after_utc == issuer.certificate.not_valid_after_utc


def test_the_list_has_what_was_revoked(issuer):
    crl = x509.load_der_x509_crl(issuing.revocation_list(issuer, [Revocation(7, NOW - DAY, "key_compromise")], NOW))

    assert crl.is_signature_valid(issuer.public_key)
    entry = crl.get_revoked_certificate_by_serial_number(7)
    assert entry.revocation_date_utc == NOW - DAY
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == x509.ReasonFlags.key_compromise
    assert crl.get_revoked_certificate_by_serial_number(8) is None
    assert crl.next_update_utc > NOW


def asked(issuer, certificate, nonce=b"0123456789abcdef"):
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer.certificate, hashes.SHA1())
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return issuing.asked_about(builder.build().public_bytes(serialization.Encoding.DER))


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ((True, None), ocsp.OCSPCertStatus.GOOD),
        ((True, Revocation(7, NOW, "superseded")), ocsp.OCSPCertStatus.REVOKED),
        ((False, None), ocsp.OCSPCertStatus.UNKNOWN),
    ],
)
def test_ocsp_says_how_a_certificate_is(issuer, found, status):
    certificate = issued(issuer)
    request = asked(issuer, certificate)
    answer = ocsp.load_der_ocsp_response(issuing.ocsp_answer(issuer, request, lambda: found, NOW))

    assert issuing.is_about(issuer.certificate, request)
    assert answer.certificate_status == status
    assert answer.serial_number == certificate.serial_number
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"0123456789abcdef"
    issuer.public_key.verify(
        answer.signature, answer.tbs_response_bytes, issuing.ec.ECDSA(answer.signature_hash_algorithm)
    )


def test_ocsp_says_nothing_of_others_certificates_and_of_what_is_no_request(issuer):
    other, _ = issuing.made("Umbrella", NOW)

    assert not issuing.is_about(issuer.certificate, asked(other, issued(other)))
    with pytest.raises(issuing.UnreadableOcspError):
        issuing.asked_about(b"no request")
    for der in (issuing.not_ours(), issuing.malformed()):
        assert ocsp.load_der_ocsp_response(der).response_status != ocsp.OCSPResponseStatus.SUCCESSFUL


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: Authority.root().leaf("CS-1"), "not an authority's"),
        (lambda: Authority.root(valid=(-2 * DAY, -DAY)), "valid from"),
    ],
    ids=["leaf", "expired"],
)
def test_what_cannot_sign_is_not_taken(made, why):
    wrong = made()

    with pytest.raises(AuthorityFilesError, match=why):
        checked(Issuer(wrong.key, wrong.certificate, ()), NOW)


def files(folder, organization="Acme"):
    return AuthorityFiles(folder, organization, URL, lambda: datetime.now(UTC))


def test_an_authority_is_made_once_and_its_keys_are_nobody_elses(tmp_path):
    folder = tmp_path / "some" / "ca"
    first, second = files(folder), files(folder, "Umbrella")
    first.open()
    second.open()

    assert first.issuer().certificate == second.issuer().certificate
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.suffix == ".key"} == {
        "issuing.key": 0o600,
        "root.key": 0o600,
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [file.name for file in folder.parent.iterdir()] == ["ca"]
    first.issuer().certificate.verify_directly_issued_by(first.issuer().root)


def test_an_authority_is_made_in_a_volume_that_is_mounted_there(tmp_path):
    (tmp_path / "lost+found").mkdir()
    used = files(tmp_path)
    used.open()

    assert used.issuer().root == used.issuer().above[-1]


def test_half_an_authority_is_not_made_whole(tmp_path):
    (tmp_path / "issuing.key").write_text("whose?")

    with pytest.raises(AuthorityFilesError, match="take it away"):
        files(tmp_path).open()
    assert [file.name for file in tmp_path.iterdir()] == ["issuing.key"]


def test_it_goes_on_without_the_roots_key(tmp_path):
    files(tmp_path / "ca").open()
    (tmp_path / "ca" / "root.key").unlink()
    again = files(tmp_path / "ca")
    again.open()

    assert again.issuer().root.subject == again.issuer().root.issuer


def test_a_key_that_everybody_may_read_is_not_used(tmp_path):
    files(tmp_path / "ca").open()
    (tmp_path / "ca" / "issuing.key").chmod(0o644)

    with pytest.raises(AuthorityFilesError, match="chmod 600"):
        files(tmp_path / "ca").open()


def test_files_are_taken_anew_and_bad_ones_are_one_clear_line_while_the_old_go_on(tmp_path, caplog):
    folder = tmp_path / "ca"
    used = files(folder)
    used.open()
    before = used.issuer()
    root = Authority.root("another root")
    sub = root.sub("another issuing CA")
    with caplog.at_level(logging.INFO):
        (folder / "issuing.pem").write_text(pem(sub.certificate) + pem(root.certificate))
        assert used.issuer() == before
        assert used.issuer() == before
        assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
            f"the authority in {folder} goes on as it was: the key does not fit the certificate"
        ]
        (folder / "issuing.key").write_text(key_pem(sub.key))

        assert used.issuer().certificate == sub.certificate

    assert used.issuer().root == root.certificate
