"""A station's CSR is read as it comes, and signed only if it says what it has to."""

import base64
from dataclasses import replace

import pytest
from chargebus_security.authorities.domain.requests import Expected, UnreadableRequestError, misfit, pem, read
from chargebus_testkit.pki import csr, make_key, name
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

P256, RSA = make_key("P-256"), make_key("RSA-2048")
ACME = name("CS-1", "Acme")
EXPECTED = Expected(["CS-1", "SN-7"], "Acme")


@pytest.mark.parametrize("key", [P256, RSA], ids=["ECDSA", "RSA"])
@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_request_is_read_whatever_version_it_names(key, version):
    request = read(csr(key, ACME, version=version))

    assert (request.common_name, request.organization) == ("CS-1", "Acme")
    assert misfit(request, EXPECTED) == ""
    assert read(pem(request.der)) == request


def test_what_is_signed_by_another_key_is_refused_in_the_odd_version_too():
    text = csr(P256, ACME, version=2)
    der = bytearray(base64.b64decode("".join(text.splitlines()[1:-1])))
    at = bytes(der).index(b"CS-1")
    der[at : at + 4] = b"CS-2"

    with pytest.raises(UnreadableRequestError, match="signature"):
        read(pem(bytes(der)))


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\\n"),
        lambda text: text.replace("BEGIN CERT", "BEGIN NEW CERT").replace("END CERT", "END NEW CERT"),
        lambda text: "".join(text.splitlines()[1:-1]),
        lambda text: text.replace("\n", ""),
        lambda text: f"Subject: CS-1\n{text}\n\n",
    ],
    ids=["CRLF", "escaped", "new", "no armour", "one line", "with text around"],
)
def test_armour_is_read_as_stations_write_it(changed):
    assert read(changed(csr(P256, ACME))).common_name == "CS-1"


@pytest.mark.parametrize(
    "text", ["", "no CSR", "AAAA", "MAA=", "MIIB", base64.b64encode(bytes(300)).decode(), "MAMCAQA=", "MAUwAwIBAA=="]
)
def test_what_is_no_request_says_so(text):
    with pytest.raises(UnreadableRequestError):
        read(text)


def test_a_request_cut_short_anywhere_is_unreadable():
    der = read(csr(P256, ACME)).der
    for length in range(len(der)):
        with pytest.raises(UnreadableRequestError):
            read(pem(der[:length]))


def test_a_key_that_nobody_here_knows_is_refused():
    builder = x509.CertificateSigningRequestBuilder().subject_name(ACME)
    made = builder.sign(ed25519.Ed25519PrivateKey.generate(), None)

    with pytest.raises(UnreadableRequestError, match="neither ECDSA nor RSA"):
        read(made.public_bytes(serialization.Encoding.PEM).decode())


@pytest.mark.parametrize(
    ("key", "subject", "why"),
    [
        ("P-256", name("CS-2", "Acme"), "'CS-2' is not the station's"),
        ("P-256", name("", "Acme"), "'' is not the station's"),
        ("P-256", name("CS-1", "Umbrella"), "'Umbrella' is not 'Acme'"),
        ("P-256", name("CS-1"), "'' is not 'Acme'"),
        ("P-224", ACME, "secp224r1"),
        ("RSA-1024", ACME, "1024 bits"),
    ],
)
def test_what_is_not_to_be_signed(key, subject, why):
    assert why in misfit(read(csr(make_key(key), subject)), EXPECTED)


def test_a_serial_number_is_a_name_where_it_is_known():
    request = read(csr(P256, name("SN-7", "Acme")))

    assert misfit(request, EXPECTED) == ""
    assert misfit(request, Expected(["CS-1", ""], "Acme")) != ""
    assert misfit(read(csr(P256, name("SN-7", "Umbrella"))), Expected(["SN-7"])) == ""


@pytest.mark.parametrize(
    ("subject", "sans"),
    [
        (name("CS-1", "Acme", serial_number="CS-2"), []),
        (ACME, ["CS-2"]),
        (ACME, ["CS-1", "https://CS-2"]),
    ],
)
def test_who_signs_elsewhere_is_shown_no_name_of_another_station(subject, sans):
    request = read(csr(P256, subject, sans=sans))

    assert "CS-2" in misfit(request, replace(EXPECTED, alone=True))
    assert misfit(request, EXPECTED) == ""


def test_the_stations_own_names_may_stand_twice():
    request = read(csr(P256, name("CS-1", "Acme", serial_number="SN-7"), sans=["CS-1"]))

    assert misfit(request, replace(EXPECTED, alone=True)) == ""


def test_what_x509_has_no_room_for_is_refused():
    long = "CS-" + "1" * 60
    request = read(csr(P256, name(long)))
    with pytest.warns(UserWarning, match="length"):
        attribute = x509.NameAttribute(NameOID.COMMON_NAME, long + "11", _validate=False)
    longer = replace(request, subject=x509.Name([attribute]))

    assert misfit(request, Expected([long])) == ""
    assert "longer than 64" in misfit(longer, Expected([long + "11"]))


def with_name(tag: int, value: bytes) -> str:
    """Return a request whose organization has another type or other bytes of the same length, signed anew."""
    der = bytearray(read(csr(P256, name("CS-1", "Acme"))).der)
    at = bytes(der).index(b"Acme")
    der[at - 2], der[at : at + 4] = tag, value
    end = 4 + _length(der, 4) if der[1] == 0x82 else 3 + _length(der, 3)
    begin = 4 if der[1] == 0x82 else 3
    signature = P256.sign(bytes(der[begin:end]), ec.ECDSA(hashes.SHA256()))
    rest = bytes((*ECDSA_SHA256, 0x03, len(signature) + 1, 0, *signature))
    body = bytes(der[begin:end]) + rest
    head = bytes((0x30, 0x82, *len(body).to_bytes(2, "big"))) if len(body) > 255 else bytes((0x30, 0x81, len(body)))
    return pem(head + body)


ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def _length(der: bytearray, at: int) -> int:
    """Return how long a structure is, with its head."""
    if der[at + 1] == 0x82:
        return 4 + int.from_bytes(der[at + 2 : at + 4], "big")
    return 3 + der[at + 2] if der[at + 1] == 0x81 else 2 + der[at + 1]


def test_a_name_signed_anew_is_read():
    assert read(with_name(0x0C, b"Acme")).organization == "Acme"


@pytest.mark.parametrize(
    ("tag", "value"),
    [(0x0C, b"A\xff\xfee"), (0x14, b"\xc4\xd6\xdc\xdf"), (0x02, b"Acme"), (0x03, b"\x00cme"), (0x1E, b"\xd8\x00cm")],
    ids=["UTF8String", "T61String", "INTEGER", "BIT STRING", "BMPString"],
)
def test_a_name_of_bad_bytes_is_unreadable_or_none(tag, value):
    try:
        request = read(with_name(tag, value))
    except UnreadableRequestError:
        return
    assert "organization" in misfit(request, EXPECTED)


def test_a_broken_hash_is_refused():
    made = x509.CertificateSigningRequestBuilder().subject_name(ACME).sign(RSA, hashes.SHA256())
    request = read(made.public_bytes(serialization.Encoding.PEM).decode())

    assert "sha1" in misfit(type(request)(request.der, request.subject, request.key, "sha1"), EXPECTED)
