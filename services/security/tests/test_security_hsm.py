"""The authority's key in a hardware security module, by PKCS#11: SoftHSM as Debian has it."""

import logging
import shutil
import subprocess
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pkcs11
import pytest
from chargebus_certificates import lists, responses
from chargebus_certificates.names import name_of
from chargebus_security.authorities import store
from chargebus_security.authorities.domain.issuing import made
from chargebus_security.authorities.domain.profiles import STATION, Later, Profile, Signed
from chargebus_security.authorities.domain.requests import read
from chargebus_security.authorities.errors import AuthorityAwayError
from chargebus_security.authorities.operations.built_in import BuiltIn
from chargebus_security.authorities.operations.files import AuthorityFiles
from chargebus_security.authorities.operations.hsm import AGAIN_AFTER_S, Hsm, HsmError, HsmOptions
from chargebus_security.metrics import Metrics
from chargebus_security.settings import HsmSettings
from chargebus_testkit.pki import csr, make_key, name, pem
from chargebus_testkit.softhsm import PIN
from chargebus_testkit.untested import Untested
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11.util.rsa import encode_rsa_public_key

NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)
URL = "http://csms.example.com/pki"


class Authority:
    """The built-in authority with its key in a token, and a clock that is set."""

    def __init__(self, soft_hsm, folder, **options):
        self.soft_hsm, self.folder, self.monotonic = soft_hsm, folder, 0.0
        options = {"module": soft_hsm.module, "token": "ca", "key": "issuing", "pin": PIN} | options
        self.hsm = Hsm(HsmOptions(**options), Metrics(), lambda: self.monotonic)
        self.files = AuthorityFiles(folder, "Acme", URL, lambda: NOW, self.hsm)
        database = SimpleNamespace(pool=SimpleNamespace(acquire=nullcontext))
        self.authority = BuiltIn(self.files, database, lambda: NOW)

    async def sign(self, station_id="CS-1"):
        request = read(csr(make_key(), name(station_id)))
        return await self.authority.sign(request, Profile(STATION, YEAR))

    def wait(self):
        self.monotonic += AGAIN_AFTER_S + 1


@pytest.fixture
def token(soft_hsm):
    soft_hsm.make_token("ca")
    return soft_hsm


@pytest.fixture
def authority(token, tmp_path):
    authority = Authority(token, tmp_path / "ca")
    authority.files.open()
    return authority


@pytest.fixture(autouse=True)
def rows(monkeypatch):
    """Have nothing be in the database but what a test says."""
    known = {}

    async def find(_connection, _authority, serial_number):
        return known.get(serial_number)

    async def revoked(*_):
        return [each for each in known.values() if each.revoked_at]

    async def revocations(*_):
        return len(await revoked()), NOW

    for function in (find, revoked, revocations):
        monkeypatch.setattr(store, function.__name__, function)
    return known


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout + done.stderr


async def test_what_a_key_in_a_module_signs_is_taken(authority, rows):
    assert sorted(each.name for each in authority.folder.iterdir()) == ["issuing.pem", "root.key", "root.pem"]
    signed, bad = await authority.sign(), await authority.sign("CS-2")
    issuing, root = await authority.authority.certificates()
    signed.leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    rows |= dict((row(signed.leaf), row(bad.leaf, revoked_at=NOW)))

    crl = lists.read(await authority.authority.revocation_list())
    assert crl.is_of(issuing)
    states = [crl.proof(each.leaf.serial_number, NOW, timedelta(hours=1)).state for each in (signed, bad)]
    asked = [name_of(each.leaf, issuing, hashes.SHA256()) for each in (signed, bad)]
    answers = [await authority.authority.ocsp(responses.request(each)) for each in asked]
    told = [
        responses.read(answer, each, (issuing,), NOW, timedelta(hours=1)).state
        for answer, each in zip(answers, asked, strict=True)
    ]
    assert states == told == ["Good", "Revoked"]


def row(certificate, revoked_at=None):
    serial = f"{certificate.serial_number:x}"
    return serial, SimpleNamespace(serial_number=serial, revoked_at=revoked_at, revocation_reason="superseded")


@pytest.mark.skipif(shutil.which("openssl") is None, reason=f"{Untested.REASON} by openssl, which is not here")
async def test_what_a_key_in_a_module_signs_is_taken_by_openssl(authority, rows, tmp_path):
    signed = await authority.sign()
    rows |= dict([row(signed.leaf)])
    issuing, _ = await authority.authority.certificates()
    own, leaf, crl, answer = (tmp_path / name for name in ("own.pem", "leaf.pem", "list.der", "answer.der"))
    own.write_text(pem(issuing))
    leaf.write_text(pem(signed.leaf))
    crl.write_bytes(await authority.authority.revocation_list())
    asked = responses.request(name_of(signed.leaf, issuing, hashes.SHA256()))
    answer.write_bytes(await authority.authority.ocsp(asked))
    ca = authority.folder / "root.pem"
    openssl("verify", "-CAfile", ca, "-untrusted", own, "-purpose", "sslclient", leaf)
    openssl("crl", "-inform", "DER", "-in", crl, "-CAfile", own, "-noout")
    asking = ("ocsp", "-sha256", "-respin", answer, "-issuer", own, "-cert", leaf, "-CAfile", ca)
    assert "good" in openssl(*asking, "-verify_other", own, "-no_nonce")


async def test_an_authority_that_is_there_goes_on_with_its_key_of_the_module(authority):
    again = Authority(authority.soft_hsm, authority.folder)
    again.files.open()
    signed = await again.sign()
    signed.leaf.verify_directly_issued_by((await authority.authority.certificates())[0])


async def test_the_key_may_be_rsa_and_made_by_others(token, tmp_path):
    with opened(token) as session:
        public, _ = session.generate_keypair(pkcs11.KeyType.RSA, 2048, store=True, label="issuing")
        key = load_der_public_key(encode_rsa_public_key(public))
    authority = Authority(token, tmp_path / "ca")
    authority.files.open()
    signed = await authority.sign()
    issuing = (await authority.authority.certificates())[0]
    assert issuing.public_key() == key
    signed.leaf.verify_directly_issued_by(issuing)
    assert lists.read(await authority.authority.revocation_list()).is_of(issuing)


def opened(soft_hsm, label="ca"):
    module = pkcs11.lib(str(soft_hsm.module))
    module.reinitialize()
    return module.get_token(token_label=label).open(user_pin=PIN, rw=True)


def test_the_key_never_leaves_the_module(authority):
    key = authority.files.issuer().key
    with pytest.raises(NotImplementedError, match="stays"):
        key.private_numbers()
    with opened(authority.soft_hsm) as session:
        private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label="issuing")
        assert private[pkcs11.Attribute.SENSITIVE]
        assert not private[pkcs11.Attribute.EXTRACTABLE]


# What goes wrong


def told(caplog):
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"module": "/nowhere/libhsm.so"}, "/nowhere/libhsm.so"),
        ({"token": "another"}, "finds no token 'another'"),
        ({"pin": "98765432"}, "refuses the PIN: PinIncorrect"),
        ({"pin": "", "pin_file": "none"}, "cannot be read: No such file"),
    ],
    ids=["module", "token", "PIN", "PIN file"],
)
async def test_a_module_that_does_not_work_is_one_line_and_the_process_goes_on(token, tmp_path, caplog, options, why):
    if "pin_file" in options:
        options = {**options, "pin_file": tmp_path / options["pin_file"]}
    authority = Authority(token, tmp_path / "ca", **options)
    authority.files.open()
    for _ in range(3):
        authority.wait()
        answer = await authority.sign()
        assert isinstance(answer, Later)
    first, *others = told(caplog)
    assert why in first
    assert "\n" not in first
    assert len(others) <= 1  # a PIN is told once more: that it is not tried again
    assert await authority.authority.certificates() == ()
    with pytest.raises(AuthorityAwayError):
        await authority.authority.revocation_list()


async def test_a_token_that_is_away_for_a_while_signs_again(authority, caplog):
    assert isinstance(await authority.sign(), Signed)
    listed = await authority.authority.revocation_list()
    authority.soft_hsm.hide_tokens()
    pkcs11.lib(str(authority.soft_hsm.module)).reinitialize()
    assert isinstance(await authority.sign(), Later)
    assert len(told(caplog)) == 1
    assert await authority.authority.revocation_list() == listed  # as long as it counts
    assert len(await authority.authority.certificates()) == 2

    authority.soft_hsm.bring_tokens()
    assert isinstance(await authority.sign(), Later)  # it is left alone for a while
    authority.wait()
    with caplog.at_level(logging.INFO):
        assert isinstance(await authority.sign(), Signed)
    assert "answers again" in caplog.text


async def test_a_session_that_broke_is_opened_anew_without_anybody_noticing(authority, caplog):
    for _ in range(2):
        pkcs11.lib(str(authority.soft_hsm.module)).reinitialize()
        assert isinstance(await authority.sign(), Signed)
    assert told(caplog) == []


async def test_a_refused_pin_is_tried_once_and_another_is_tried(token, tmp_path, monkeypatch):
    file = tmp_path / "pin"
    file.write_text("98765432\n")
    authority = Authority(token, tmp_path / "ca", pin="", pin_file=file)
    tried = []
    monkeypatch.setattr(authority.hsm, "_found_token", counted(authority.hsm._found_token, tried))
    authority.files.open()
    for _ in range(5):
        authority.wait()
        assert "not tried again" in (await authority.sign()).why
    assert len(tried) == 1
    file.write_text(f"{PIN}\n")
    authority.wait()
    assert isinstance(await authority.sign(), Signed)


def counted(function, calls):
    def call():
        calls.append(function)
        return function()

    return call


async def test_a_key_that_is_not_the_certificates_does_not_sign(authority, tmp_path):
    other, _ = made("Umbrella", NOW)
    (authority.folder / "issuing.pem").write_text(pem(other.certificate) + pem(other.root))
    again = Authority(authority.soft_hsm, authority.folder)
    again.files.open()
    assert "does not fit the certificate" in (await again.sign()).why
    with pytest.raises(HsmError, match="does not fit"):
        again.hsm.key_of(other.public_key)


def test_a_module_needs_a_token_and_one_pin(tmp_path):
    for wrong in ({}, {"token": "ca"}, {"token": "ca", "pin": "1", "pin_file": tmp_path}, {"pin": "1"}):
        with pytest.raises(ValueError, match="SECURITY_HSM_"):
            HsmSettings(module=tmp_path, **wrong)
    assert HsmSettings(module=tmp_path, token="ca", pin="1").key == "chargebus-issuing"
    assert HsmSettings().module is None
