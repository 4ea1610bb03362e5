"""TLS at the edge, with real handshakes on the loop that processes have: versions, suites, profiles 2 and 3, limits."""

import asyncio
import base64
import os
import signal
import socket as sockets
import ssl
import struct
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from urllib.parse import quote

import msgspec
import pytest
from chargebus_edge.door import certificates, forwarded
from chargebus_edge.tls import context as contexts
from chargebus_edge.tls import proxy
from chargebus_edge.tls.context import RSA_KEY_EXCHANGE, TlsPolicy, make
from chargebus_edge.tls.current import CurrentTls, TlsParts
from chargebus_edge.tls.files import TlsFiles, TlsFilesError
from chargebus_edge.tls.handshakes import HandshakeLimits, Handshakes
from chargebus_events.registry import OnboardingPolicy
from chargebus_runtime.secrets import hash_generated
from chargebus_testkit import pki
from chargebus_testkit.pki import DAY, Authority, Leaf, client_context
from chargebus_testkit.waiting import until
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from websockets.exceptions import InvalidMessage, InvalidStatus

TLS_FAILURES = (ssl.SSLError, ConnectionError, InvalidMessage, EOFError)


@pytest.fixture(scope="module")
def ca():
    return Authority.root("the test's root")


@pytest.fixture(scope="module")
def both(ca):
    """A certificate of each kind of key; RSA keys take a while to make."""
    return ca.localhost("RSA-2048"), ca.localhost()


@pytest.fixture
def run_tls(run_edge, tmp_path, ca, both):
    """Run an edge that speaks TLS only, with both certificates and the test's authority for clients."""

    @asynccontextmanager
    async def run(*, pairs=None, **settings):
        pairs = [issued.write(tmp_path, f"server-{at}") for at, issued in enumerate(pairs or both)]
        settings = {
            "allow_plain_ws": False,
            "tls_port": 0,
            "tls_certificates": [pair[0] for pair in pairs],
            "tls_keys": [pair[1] for pair in pairs],
            "tls_look_s": 0.05,
            **settings,
        }
        async with run_edge(**settings) as edge:
            yield edge

    return run


@pytest.fixture
async def edge(run_tls, tmp_path, ca):
    async with run_tls(tls_client_ca=[ca.write(tmp_path)]) as edge:
        edge.register("CP1")
        yield edge


def connect(edge, station_id, context, **options):
    port = edge.edge.server.port_of("wss")
    options.setdefault("password", None)
    if options["password"] is None:
        del options["password"]
        options["additional_headers"] = {"X-Nothing": "1"}
    path = options.pop("path", f"/ocpp/{station_id}")
    url = f"wss://localhost:{port}{path}"
    edge.url = lambda _path: url
    return edge.connect(station_id, ssl=context, host="127.0.0.1", **options)


PASSWORD = "0123456789abcdef0123456789abcdef01234567"


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def status_of(connecting):
    with pytest.raises(InvalidStatus) as refused:
        await connecting
    return refused.value.response.status_code


async def assert_fails(connecting):
    with pytest.raises(TLS_FAILURES):
        async with connecting:
            pass


def refused(edge):
    return edge.edge.server._parts.counts.handshakes_refused


async def used_profile(edge, at=-1):
    (record, *_) = (await edge.kafka.until("ocpp.presence", 1))[at:]
    return msgspec.json.decode(record.value).get("security_profile", 1)


# Versions and suites


def test_the_suites_are_those_that_the_specification_names_and_those_with_forward_secrecy():
    TlsPolicy(ciphers=RSA_KEY_EXCHANGE)
    for weaker in ("ECDHE-RSA-AES128-SHA", "DES-CBC3-SHA", "AES128-SHA256", "ALL", ""):
        with pytest.raises(TlsFilesError, match="what may be spoken is"):
            TlsPolicy(ciphers=[weaker])
    with pytest.raises(TlsFilesError):
        TlsPolicy(ciphers=())


@pytest.mark.parametrize(
    ("cipher", "kind"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDSA"),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDSA"),
        ("ECDHE-RSA-AES128-GCM-SHA256", "RSA"),
        ("ECDHE-RSA-AES256-GCM-SHA384", "RSA"),
    ],
)
async def test_A00_FR_318_rsa_and_ecdsa_stand_side_by_side_and_the_station_gets_what_it_can(edge, ca, cipher, kind):
    context = client_context(ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    async with connect(edge, "CP1", context, password=PASSWORD) as socket:
        tls = socket.transport.get_extra_info("ssl_object")
        assert (tls.version(), tls.cipher()[0]) == ("TLSv1.2", cipher)
        shown = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
    assert type(shown.public_key()).__name__ == {"RSA": "RSAPublicKey", "ECDSA": "ECPublicKey"}[kind]


async def test_messages_are_compressed_within_tls_too(edge, ca):
    async with connect(edge, "CP1", client_context(ca), password=PASSWORD, compression="deflate") as socket:
        assert "client_no_context_takeover" in socket.response.headers["Sec-WebSocket-Extensions"]
        await socket.send('[2,"hb","Heartbeat",{}]')
        assert '"currentTime"' in await socket.recv()
    assert edge.edge.server._parts.counts.compressed["received", "plain"] > 0


async def test_tls_1_3_is_spoken_where_the_station_can(edge, ca):
    async with connect(edge, "CP1", client_context(ca), password=PASSWORD) as socket:
        assert socket.transport.get_extra_info("ssl_object").version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("weaken", "reason"),
    [
        (lambda context: context.set_ciphers("AES128-GCM-SHA256"), "no cipher suite in common"),
        (lambda context: context.set_ciphers("ECDHE-RSA-AES128-SHA:@SECLEVEL=0"), "no cipher suite in common"),
    ],
)
async def test_weaker_suites_are_refused(edge, ca, weaken, reason):
    context = client_context(ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    weaken(context)
    await assert_fails(connect(edge, "CP1", context, password=PASSWORD))
    await until(lambda: refused(edge)[reason] == 1)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_A00_FR_302_an_older_tls_is_refused(edge, ca):
    context = client_context(ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    await assert_fails(connect(edge, "CP1", context, password=PASSWORD))
    await until(lambda: refused(edge)["TLS version too low"] == 1)


async def test_rsa_key_exchange_is_spoken_with_who_names_it(run_tls, ca):
    async with run_tls(tls_ciphers=RSA_KEY_EXCHANGE, tls_minimum="1.2") as edge:
        edge.register("CP1")
        context = client_context(ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES256-GCM-SHA384")
        async with connect(edge, "CP1", context, password=PASSWORD):
            pass


# Profiles


async def test_a_password_over_tls_is_profile_2(edge, ca):
    edge.register("CP2", security_profile=2)
    async with connect(edge, "CP2", client_context(ca), password=PASSWORD) as socket:
        await socket.send('[2,"a","Heartbeat",{}]')
        assert '"currentTime"' in await socket.recv()
        assert await used_profile(edge) == 2


async def test_profile_2_needs_a_password(edge, ca):
    assert await status_of(connect(edge, "CP1", client_context(ca))) == 401
    assert await status_of(connect(edge, "CP1", client_context(ca), password="wrong")) == 401


@pytest.mark.parametrize("kind", ["RSA-2048", "P-256"])
async def test_A00_FR_401_a_client_certificate_is_profile_3_and_needs_no_password(edge, ca, tmp_path, kind):
    edge.register("CP3", security_profile=3)
    context = client_context(ca, ca.station("CP3", kind), tmp_path)
    async with connect(edge, "CP3", context) as socket:
        await socket.send('[2,"a","Heartbeat",{}]')
        assert '"currentTime"' in await socket.recv()
        assert await used_profile(edge) == 3


async def test_a_registered_profile_is_the_least_that_is_let_in(edge, ca):
    edge.register("CP3", security_profile=3)
    assert await status_of(connect(edge, "CP3", client_context(ca), password=PASSWORD)) == 403
    assert refused(edge)["security profile too low"] == 1


async def test_A00_FR_405_a_certificate_of_another_station_is_refused_whatever_password_comes_with_it(
    edge, ca, tmp_path
):
    context = client_context(ca, ca.station("CP9"), tmp_path)
    assert await status_of(connect(edge, "CP1", context)) == 403
    assert await status_of(connect(edge, "CP1", context, password=PASSWORD)) == 403
    assert refused(edge) == {"certificate of another": 2}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"valid": (-DAY, -DAY / 2)}, "certificate expired"),
        ({"valid": (DAY / 2, DAY)}, "certificate not valid yet"),
        ({"usages": pki.SERVER}, "certificate not for clients"),
    ],
)
async def test_a_certificate_that_is_not_valid_is_refused_in_the_handshake(edge, ca, tmp_path, options, reason):
    context = client_context(ca, ca.station("CP1", **options), tmp_path)
    await assert_fails(connect(edge, "CP1", context))
    await until(lambda: refused(edge)[reason] == 1)


async def test_a_certificate_of_an_unknown_authority_is_refused_in_the_handshake(edge, ca, tmp_path):
    context = client_context(ca, Authority.root("somebody").station("CP1"), tmp_path)
    await assert_fails(connect(edge, "CP1", context, password=PASSWORD))
    await until(lambda: refused(edge)["unknown authority"] == 1)


async def test_chains_come_with_and_without_intermediate_and_root(run_tls, ca, tmp_path):
    between = ca.sub("between")
    whole = between.station("CP1")
    bare = Leaf(whole.certificate, whole.key, ca)
    async with AsyncExitStack() as stack:
        of_root = await stack.enter_async_context(run_tls(tls_client_ca=[ca.write(tmp_path)]))
        of_between = await stack.enter_async_context(
            run_tls(tls_client_ca=[between.write(tmp_path, "between")], slot=1)
        )
        for edge in (of_root, of_between):
            edge.register("CP1")
        for edge, shown, root in ((of_root, whole, False), (of_root, whole, True), (of_between, bare, False)):
            async with connect(edge, "CP1", client_context(ca, shown, tmp_path, root=root)):
                pass
        await assert_fails(connect(of_root, "CP1", client_context(ca, bare, tmp_path)))


@pytest.mark.parametrize(
    "case",
    [
        (("cn",), {"subject": "CP1"}, True),
        (("cn", "san"), {"subject": "other", "sans": [x509.DNSName("CP1")]}, True),
        (("san",), {"subject": "other", "sans": [x509.UniformResourceIdentifier("CP1")]}, True),
        (("serial",), {"subject": pki.name("", serial_number="CP1")}, True),
        (("san",), {"subject": "CP1"}, False),
        (("cn",), {"subject": "cp1"}, False),
        (("cn",), {"subject": "CP1", "sans": [x509.DNSName("CP2")]}, True),
    ],
)
async def test_the_identity_stands_where_the_setting_says(run_tls, ca, tmp_path, case):
    kinds, issued, comes_in = case
    async with run_tls(tls_client_ca=[ca.write(tmp_path)], tls_client_identity=kinds) as edge:
        edge.register("CP1")
        connecting = connect(edge, "CP1", client_context(ca, ca.station(**issued), tmp_path))
        if comes_in:
            async with connecting:
                pass
        else:
            assert await status_of(connecting) == 403


async def test_a_station_may_be_registered_with_what_its_certificate_names_or_with_the_certificate(edge, ca, tmp_path):
    shown = ca.station("SN-0815")
    context = client_context(ca, shown, tmp_path)
    fingerprint = shown.certificate.fingerprint(hashes.SHA256()).hex()
    serial = f"{shown.certificate.serial_number:X}"
    by_serial = ("00", ":".join(serial.zfill(40)[at : at + 2] for at in range(0, 40, 2)))
    for more in (
        {"certificate_identity": "SN-0815"},
        {"certificate_pins": (fingerprint,)},
        {"certificate_identity": "SN-0815", "certificate_pins": by_serial},
    ):
        edge.register("CP3", security_profile=3, **more)
        async with connect(edge, "CP3", context):
            pass
    for pins in ({"certificate_identity": "SN-0815", "certificate_pins": ("aa",)}, {"certificate_pins": by_serial}):
        edge.register("CP3", security_profile=3, **pins)
        assert await status_of(connect(edge, "CP3", context)) == 403


async def test_what_a_certificate_must_be_changes_for_who_is_connected(edge, ca, tmp_path):
    context = client_context(ca, ca.station("CP1"), tmp_path)
    async with connect(edge, "CP1", context) as socket:
        edge.register("CP1", password_hash="another")  # no matter to who came by a certificate
        await socket.send('[2,"a","Heartbeat",{}]')
        assert '"currentTime"' in await socket.recv()
        edge.register("CP1", certificate_pins=("aa",))
        await socket.wait_closed()


async def test_who_is_not_registered_needs_the_onboarding_password_besides_a_certificate(edge, ca, tmp_path):
    edge.kafka.write(OnboardingPolicy("accept", datetime.now(UTC), hash_generated(PASSWORD)).record())
    context = client_context(ca, ca.station("NEW"), tmp_path)
    assert await status_of(connect(edge, "NEW", context)) == 401
    async with connect(edge, "NEW", context, password=PASSWORD):
        assert await used_profile(edge) == 2


async def test_without_trust_anchors_no_client_is_asked_for_a_certificate(run_tls, ca, tmp_path):
    async with run_tls() as edge:
        edge.register("CP1")
        context = client_context(ca, ca.station("CP1"), tmp_path)
        assert await status_of(connect(edge, "CP1", context)) == 401


@pytest.mark.parametrize("allowed", [True, False])
async def test_no_credentials_are_taken_only_where_both_the_edge_and_the_registration_say_so(run_edge, allowed):
    async with run_edge(allow_no_credentials=allowed) as edge:
        edge.register("CP0", security_profile=0)
        edge.register("CP1", security_profile=1)
        bare = {"X-Nothing": "1"}
        if allowed:
            async with edge.connect("CP0", additional_headers=bare) as socket:
                assert await used_profile(edge) == 0
                edge.register("CP0", security_profile=1)
                await socket.wait_closed()
        else:
            assert await status_of(edge.connect("CP0", additional_headers=bare)) == 401
        assert await status_of(edge.connect("CP1", additional_headers=bare)) == 401
        edge.register("CP0", security_profile=0)
        assert await status_of(edge.connect("CP0", password="wrong")) == 401


# Resumption


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_is_resumed_with_its_client_certificate(edge, ca, tmp_path, handshake, version):
    context = client_context(ca, ca.station("CP1"), tmp_path)
    context.minimum_version = context.maximum_version = version
    port = edge.edge.server.port_of("wss")

    answer, reused, session = await asyncio.to_thread(handshake, context, port)
    assert (answer[:12], reused) == (b"HTTP/1.1 101", False)
    answer, reused, _ = await asyncio.to_thread(handshake, context, port, session)
    assert (answer[:12], reused) == (b"HTTP/1.1 101", True)


# Files


def server_certificate(edge, ca):
    """Return the certificate that a new handshake gets."""
    port = edge.edge.server.port_of("wss")
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode())


async def test_certificates_are_taken_anew_while_sockets_stay(edge, ca, tmp_path):
    async with connect(edge, "CP1", client_context(ca), password=PASSWORD) as socket:
        before = await asyncio.to_thread(server_certificate, edge, ca)
        newer = ca.localhost()
        newer.write(tmp_path, "server-1")
        await until(lambda: counts(edge).tls_reloads["taken"] == 1)
        assert await asyncio.to_thread(server_certificate, edge, ca) == newer.certificate != before
        await socket.send('[2,"a","Heartbeat",{}]')
        assert '"currentTime"' in await socket.recv()


def counts(edge):
    return edge.edge.server._parts.counts


async def test_a_hangup_has_them_taken_at_once(run_tls, ca, tmp_path):
    async with run_tls(tls_look_s=3600) as edge:
        await asyncio.sleep(0)
        newer = ca.localhost()
        newer.write(tmp_path, "server-1")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: counts(edge).tls_reloads["taken"] == 1)
        assert await asyncio.to_thread(server_certificate, edge, ca) == newer.certificate


async def test_trust_anchors_are_taken_anew_and_those_that_are_gone_vouch_no_more(edge, ca, tmp_path):
    other = Authority.root("another")
    old, new = (client_context(ca, each.station("CP1"), tmp_path) for each in (ca, other))
    async with connect(edge, "CP1", old):
        pass
    (tmp_path / "ca.pem").write_bytes(pki.pem(other.certificate).encode())
    await until(lambda: counts(edge).tls_reloads["taken"] == 1)
    async with connect(edge, "CP1", new):
        pass
    await assert_fails(connect(edge, "CP1", old))


def _other_key(folder, ca):
    (folder / "server-1.key").write_bytes(ca.localhost().key_pem.encode())


def _no_pem(folder, ca):
    (folder / "server-1.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")


def _expired(folder, ca):
    ca.localhost(valid=(-DAY, -DAY / 2)).write(folder, "server-1")


def _encrypted(folder, ca):
    issued = ca.localhost()
    issued.write(folder, "server-1")
    encrypted = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (folder / "server-1.key").write_bytes(encrypted)


BAD_FILES = [
    (lambda folder, _: (folder / "server-1.key").unlink(), "server-1.key cannot be read (No such file"),
    (_other_key, "server-1.key does not fit the certificate in"),
    (_no_pem, "server-1.pem holds no certificate in PEM"),
    (_expired, "expired at"),
    (_encrypted, "is encrypted"),
    (lambda folder, ca: ca.localhost("RSA-2048").write(folder, "server-1"), "are both for RSA keys"),
    (lambda folder, _: (folder / "ca.pem").write_bytes(b""), "ca.pem holds no certificate in PEM"),
]


@pytest.mark.parametrize("bad", BAD_FILES)
async def test_a_bad_file_is_one_clear_line_and_the_old_ones_go_on(edge, ca, tmp_path, caplog, bad):
    spoil, told = bad
    before = await asyncio.to_thread(server_certificate, edge, ca)
    spoil(tmp_path, ca)
    await until(lambda: counts(edge).tls_reloads["refused"] == 1)
    with patch.object(TlsFiles, "signature", autospec=True, side_effect=TlsFiles.signature) as look:
        await until(lambda: look.call_count >= 4)  # several more looks
    assert counts(edge).tls_reloads == {"refused": 1}
    (line,) = [record.getMessage() for record in caplog.records if "goes on" in record.getMessage()]
    assert told in line
    assert "\n" not in line
    assert await asyncio.to_thread(server_certificate, edge, ca) == before
    async with connect(edge, "CP1", client_context(ca, ca.station("CP1"), tmp_path)):
        pass


async def test_an_edge_that_starts_with_bad_files_says_so(run_tls, ca, tmp_path):
    with pytest.raises(TlsFilesError, match="cannot be read"):
        async with run_tls(tls_client_ca=[tmp_path / "none.pem"]):
            pass
    with pytest.raises(TlsFilesError, match="set EDGE_TLS_CERTIFICATES"):
        async with run_tls(tls_certificates=[], tls_keys=[]):
            pass
    with pytest.raises(TlsFilesError, match="needs its key"):
        async with run_tls(tls_keys=[tmp_path / "one.key"]):
            pass


def spoilt(pem, old, new):
    """Return a certificate of which a part cannot be understood, though it can be loaded."""
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    assert old in der
    return x509.load_der_x509_certificate(der.replace(old, new)).public_bytes(Encoding.PEM)


NO_NAME = b"\x0c\x07a clerk", b"\x14\x07a cler\xfc"  # Latin-1 in a T61String
NO_CURVE = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d030177")


@pytest.mark.parametrize("change", [NO_NAME, NO_CURVE])
def test_a_certificate_that_cannot_be_read_to_its_end_is_a_bad_file(tmp_path, change):
    clerk = Authority.root("a clerk")
    anchors, shown = tmp_path / "anchors.pem", tmp_path / "server.pem"
    anchors.write_bytes(spoilt(pki.pem(clerk.certificate), *change))
    with pytest.raises(TlsFilesError, match=r"a certificate in .*anchors\.pem cannot be read"):
        make(TlsFiles((), client_ca=(anchors,), serves=False), TlsPolicy())
    shown.write_bytes(spoilt(clerk.localhost().pem, *change))
    with pytest.raises(TlsFilesError, match=r"a certificate in .*server\.pem cannot be read"):
        make(TlsFiles((shown,)), TlsPolicy())


def test_a_file_that_is_gone_between_two_looks_is_a_bad_file(tmp_path, ca, monkeypatch):
    anchors = ca.write(tmp_path)

    def look_through(certificate):
        anchors.unlink()

    monkeypatch.setattr(contexts, "look_through", look_through)
    with pytest.raises(TlsFilesError, match="cannot be used"):
        make(TlsFiles((), client_ca=(anchors,), serves=False), TlsPolicy())


@pytest.mark.parametrize("change", [NO_NAME, NO_CURVE])
def test_a_client_certificate_that_cannot_be_read_to_its_end_is_none(change):
    shown = Authority.root("a clerk").station("CP3")
    der = x509.load_pem_x509_certificate(spoilt(shown.pem, *change)).public_bytes(Encoding.DER)
    assert certificates.read(shown.certificate.public_bytes(Encoding.DER)) is not None
    assert certificates.read(der) is None
    assert certificates.read(shown.certificate.public_bytes(Encoding.DER), [der]) is None
    assert forwarded.certificate([base64.b64encode(der).decode()]) is None


async def test_an_edge_starts_with_an_expired_certificate_and_says_so(run_tls, ca, caplog):
    async with run_tls(pairs=[ca.localhost(valid=(-DAY, -timedelta(minutes=1)))]):
        assert "expired at" in caplog.text


async def test_a_certificate_that_is_not_valid_yet_is_taken_when_it_is(tmp_path, ca):
    now, results, newer = datetime.now(UTC), [], ca.localhost(valid=(timedelta(hours=1), DAY))
    files = TlsFiles(*((path,) for path in ca.localhost().write(tmp_path, "server")))
    current = CurrentTls(TlsParts(files, TlsPolicy(), 1.0, lambda: now, results.append))
    newer.write(tmp_path, "server")
    for _ in range(4):
        await current.look()
    assert results == ["refused"]
    now += timedelta(hours=1, minutes=1)
    await current.look()
    await current.look()
    assert results == ["refused", "taken"]
    assert [each.certificate for each in current.usable.expiries] == [newer.certificate]


# Limits


async def test_handshakes_are_limited_per_address_and_those_in_flight_wait(run_tls, ca):
    async with run_tls(tls_handshakes=3, tls_handshakes_per_address=2, tls_handshake_s=60.0) as edge:
        edge.register("CP1")
        port = edge.edge.server.port_of("wss")
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        await until(lambda: acceptor_parts(edge).handshakes.under_way == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        assert refused(edge) == {"too many handshakes": 1}
        for _, writer in idle:
            writer.close()
        await until(lambda: acceptor_parts(edge).handshakes.under_way == 0)
        async with connect(edge, "CP1", client_context(ca), password=PASSWORD):
            pass


async def test_more_handshakes_than_may_be_under_way_wait_for_their_turn(run_tls, ca):
    async with run_tls(tls_handshakes=1) as edge:
        edge.register("CP1")
        port = edge.edge.server.port_of("wss")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: acceptor_parts(edge).handshakes.under_way == 1)
        connecting = asyncio.create_task(connect(edge, "CP1", client_context(ca), password=PASSWORD).__aenter__())
        done, _ = await asyncio.wait([connecting], timeout=0.2)
        assert not done
        writer.close()
        await (await connecting).close()


async def test_a_handshake_that_takes_too_long_is_ended(run_tls, ca):
    async with run_tls(tls_handshake_s=0.2) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.edge.server.port_of("wss"))
        assert await reader.read() == b""
        writer.close()
        await until(lambda: refused(edge) == {"handshake timed out": 1})


async def test_plain_words_on_the_port_of_tls_are_counted(run_tls):
    async with run_tls() as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.edge.server.port_of("wss"))
        writer.write(b"GET /ocpp/CP1 HTTP/1.1\r\n\r\n")
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        await until(lambda: refused(edge) == {"no TLS": 1})


def acceptor_parts(edge):
    return edge.edge.server._parts.listen[0].accepted


def test_the_addresses_of_an_ipv6_network_are_one():
    handshakes = Handshakes(HandshakeLimits(per_address=1))
    first = handshakes.begin("2001:db8::1")
    assert first
    assert not handshakes.begin("2001:db8::2")
    assert handshakes.begin("2001:db8:0:1::1")
    assert handshakes.begin("::ffff:192.0.2.1")
    assert not handshakes.begin("192.0.2.1")
    for _ in range(2):
        first.end()
    assert handshakes.begin("2001:db8::2")
    assert not handshakes.begin("2001:db8::1")


def test_where_no_more_may_begin_the_oldest_of_the_address_that_has_most_is_ended():
    handshakes = Handshakes(HandshakeLimits(at_once=5))
    assert handshakes.stalest() is None
    honest, *silent = (handshakes.begin(host) for host in ("192.0.2.1", *["192.0.2.66"] * 3))
    for each in silent[:2]:
        assert handshakes.stalest() is each
        each.end()
    assert handshakes.stalest() is honest
    handshakes.spoken(honest)
    assert handshakes.stalest() is silent[2]


async def test_silent_handshakes_keep_nobody_out_for_long(run_tls, ca):
    async with run_tls(tls_handshakes=3, tls_handshake_s=120.0) as edge:
        edge.register("CP1")
        handshakes = acceptor_parts(edge).handshakes
        handshakes.limits = replace(handshakes.limits, spared_s=0.1)
        port = edge.edge.server.port_of("wss")
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        async with connect(edge, "CP1", client_context(ca), password=PASSWORD):
            assert await silent[0][0].read() == b""
            assert refused(edge) == {"too many handshakes": 1}
            assert handshakes.under_way == 2
        for _, writer in silent:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def test_who_spoke_tls_and_then_says_nothing_counts_for_its_address(run_tls, ca):
    async with run_tls(tls_handshakes_per_address=1) as edge:
        edge.register("CP1")
        port = edge.edge.server.port_of("wss")
        context = client_context(ca)
        _, silent = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        await until(lambda: acceptor_parts(edge).handshakes.under_way == 0)
        await assert_fails(connect(edge, "CP1", context, password=PASSWORD))
        assert refused(edge) == {"too many handshakes": 1}
        silent.close()
        with suppress(ConnectionError, ssl.SSLError):
            await silent.wait_closed()
        await until(lambda: not acceptor_parts(edge).handshakes._by_address)
        edge.register("CP2")
        async with (  # who is answered counts no more
            connect(edge, "CP1", context, password=PASSWORD),
            connect(edge, "CP2", context, password=PASSWORD),
        ):
            pass


# PROXY protocol


def header(address="192.0.2.7", port=4711, *, command=0x21, family=0x11, more=b""):
    rest = bytes(map(int, address.split("."))) + bytes((10, 0, 0, 1)) + struct.pack("!HH", port, 443) + more
    return proxy.SIGNATURE + struct.pack("!BBH", command, family, len(rest)) + rest


TLS_WAS_SPOKEN = b"\x20\x00\x05\x01\0\0\0\0"


def test_a_header_of_the_proxy_protocol_is_read():
    whole = header()
    beginning, rest = whole[:16], whole[16:]
    assert proxy.length(beginning) == len(rest) == 12
    assert proxy.read(beginning, rest) == (("192.0.2.7", 4711), False)
    ipv6 = bytes(15) + b"\1" + bytes(16) + struct.pack("!HH", 5, 443) + b"\x04\x00\x01x" + TLS_WAS_SPOKEN
    assert proxy.read(beginning[:13] + b"\x21", ipv6) == (("::1", 5), True)
    assert proxy.read(header(command=0x20)[:16], b"") == (None, False)
    assert proxy.read(header(family=0)[:16], b"") == (None, False)


@pytest.mark.parametrize(
    "wrong", [b"GET / HTTP/1.1\r\n", header(command=0x22)[:28], header(family=0x31), header()[:20], b"PROXY TCP4 1.2.3"]
)
def test_what_is_no_header_is_refused(wrong):
    with pytest.raises(proxy.ProxyHeaderError):
        assert proxy.length(wrong[:16]) >= 0
        proxy.read(wrong[:16], wrong[16:])


async def test_a_trusted_proxy_says_for_whom_it_passes_on(run_tls, ca):
    async with run_tls(proxy_protocol_from=["127.0.0.0/8"]) as edge:
        edge.register("CP1")
        port = edge.edge.server.port_of("wss")
        loop = asyncio.get_running_loop()
        plain = sockets.create_connection(("127.0.0.1", port))
        plain.setblocking(False)
        for byte in header():
            await loop.sock_sendall(plain, bytes([byte]))
        edge.url = lambda _path: f"wss://localhost:{port}/ocpp/CP1"
        async with edge.connect("CP1", ssl=client_context(ca), sock=plain):
            (record,) = await edge.kafka.until("ocpp.presence", 1)
        assert msgspec.json.decode(record.value)["remote_address"] == "192.0.2.7:4711"

        await assert_fails(connect(edge, "CP1", client_context(ca), password=PASSWORD))  # no header
        assert refused(edge) == {"bad PROXY header": 1}

        for own in (header(command=0x20), header(command=0x20, family=0), header(family=0)):
            plain = sockets.create_connection(("127.0.0.1", port))
            plain.sendall(own)
            address = "{}:{}".format(*plain.getsockname())
            async with edge.connect("CP1", ssl=client_context(ca), sock=plain):
                await until(lambda address=address: address in addresses(edge))

        plain = sockets.create_connection(("127.0.0.1", port))
        plain.sendall(header(command=0x20))  # it looks whether somebody is here
        await until(lambda: acceptor_parts(edge).handshakes.under_way == 1)
        plain.close()
        await until(lambda: acceptor_parts(edge).handshakes.under_way == 0)
        assert refused(edge) == {"bad PROXY header": 1}


def addresses(edge):
    return [msgspec.json.decode(record.value).get("remote_address") for record in edge.kafka.log["ocpp.presence"]]


async def test_who_is_not_trusted_is_who_it_is(run_tls, ca):
    async with run_tls(proxy_protocol_from=["192.0.2.0/24"]) as edge:
        edge.register("CP1")
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.edge.server.port_of("wss"))
        writer.write(header())
        assert await reader.read() in (b"", b"\x15\x03\x03\x00\x02\x02\x46")
        writer.close()
        await until(lambda: sum(refused(edge).values()) == 1)
        async with connect(edge, "CP1", client_context(ca), password=PASSWORD):
            (record,) = await edge.kafka.until("ocpp.presence", 1)
        assert msgspec.json.decode(record.value)["remote_address"].startswith("127.0.0.1:")


async def test_a_trusted_proxy_may_have_ended_tls_itself(run_edge):
    async with run_edge(proxy_protocol_from=["127.0.0.1/32"]) as edge:
        edge.register("CP2", security_profile=2)
        for more, profile in ((TLS_WAS_SPOKEN, 2), (b"", None)):
            plain = sockets.create_connection(("127.0.0.1", edge.edge.server.port))
            plain.sendall(header(more=more))
            connecting = edge.connect("CP2", sock=plain)
            if profile is None:
                assert await status_of(connecting) == 403
            else:
                async with connecting:
                    assert await used_profile(edge) == profile


# TLS that was ended in front


def _nginx(shown):
    return quote(shown.certificate.public_bytes(Encoding.PEM).decode(), safe="")


def _envoy(shown):
    return f'By=spiffe://edge;Hash=468ed3;Cert="{_nginx(shown)}";Subject="CN=CP3"'


def _haproxy(shown):
    return base64.b64encode(shown.certificate.public_bytes(Encoding.DER)).decode()


def _rfc_9440(shown):
    return f":{_haproxy(shown)}:"


@pytest.mark.parametrize("write", [_nginx, _envoy, _haproxy, _rfc_9440])
async def test_a_trusted_proxy_forwards_the_certificate_that_it_was_shown(run_edge, ca, tmp_path, write):
    settings = {
        "forwarded_from": ["127.0.0.1/32"],
        "forwarded_certificate_header": "X-Client-Cert",
        "tls_client_ca": [ca.write(tmp_path)],
        "tls_ocsp": False,
    }
    async with run_edge(**settings) as edge:
        edge.register("CP3", security_profile=3)

        def forwarded(shown, proto="https"):
            headers = {"X-Client-Cert": write(shown), "X-Forwarded-Proto": proto, "X-Forwarded-For": "evil, 192.0.2.7"}
            return edge.connect("CP3", additional_headers=headers)

        async with forwarded(ca.station("CP3")):
            (record,) = await edge.kafka.until("ocpp.presence", 1)
        presence = msgspec.json.decode(record.value)
        assert (presence["security_profile"], presence["remote_address"]) == (3, "192.0.2.7:0")
        assert await status_of(forwarded(ca.station("CP9"))) == 403
        assert await status_of(forwarded(ca.station("CP3", valid=(-DAY, -DAY / 2)))) == 403
        assert await status_of(forwarded(Authority.root("somebody").station("CP3"))) == 401
        assert await status_of(forwarded(ca.station("CP3"), "http")) == 401


async def test_a_trusted_proxy_says_whether_tls_was_spoken(run_edge):
    async with run_edge(forwarded_from=["127.0.0.1/32"]) as edge:
        edge.register("CP2", security_profile=2)
        for proto, comes_in in (("wss", True), ("http", False), ("https, http", False), (None, False)):
            headers = basic("CP2", PASSWORD) | ({} if proto is None else {"X-Forwarded-Proto": proto})
            connecting = edge.connect("CP2", additional_headers=headers)
            if comes_in:
                async with connecting:
                    assert await used_profile(edge) == 2
            else:
                assert await status_of(connecting) == 403


@pytest.mark.parametrize("trusted", [(), ("192.0.2.0/24",)])
async def test_who_is_not_trusted_forwards_nothing(run_edge, ca, tmp_path, trusted):
    settings = {"forwarded_certificate_header": "X-Client-Cert", "tls_client_ca": [ca.write(tmp_path)]}
    async with run_edge(forwarded_from=trusted, **settings) as edge:
        edge.register("CP3", security_profile=3)
        headers = {"X-Client-Cert": _nginx(ca.station("CP3")), "X-Forwarded-Proto": "https"}
        assert await status_of(edge.connect("CP3", additional_headers=headers)) == 401
        assert await status_of(edge.connect("CP3", additional_headers=headers | basic("CP3", PASSWORD))) == 403


async def test_a_header_that_came_through_a_proxy_of_tcp_is_the_clients_own(run_edge, ca, tmp_path):
    settings = {
        "proxy_protocol_from": ["127.0.0.1/32"],
        "forwarded_from": ["0.0.0.0/0"],
        "forwarded_certificate_header": "X-Client-Cert",
        "tls_client_ca": [ca.write(tmp_path)],
    }
    async with run_edge(**settings) as edge:
        edge.register("CP3", security_profile=3)
        headers = {"X-Client-Cert": _nginx(ca.station("CP3")), "X-Forwarded-Proto": "https"}
        plain = sockets.create_connection(("127.0.0.1", edge.edge.server.port))
        plain.sendall(header())
        assert await status_of(edge.connect("CP3", sock=plain, additional_headers=headers)) == 401


@pytest.mark.parametrize("text", ["", "nothing", "%%%", "AAAA", 'Cert="AAAA"', ":AAAA:", "A" * 20_000])
def test_what_is_no_certificate_is_none(text):
    assert forwarded.certificate([text]) is None


def test_two_headers_say_nothing(ca):
    shown = _haproxy(ca.station("CP3"))
    assert forwarded.certificate([shown]) is not None
    assert forwarded.certificate([shown, shown]) is None


def test_of_several_proxies_that_forward_a_certificate_none_is_believed(ca):
    mine, another = ca.station("CP3"), ca.station("CP9")
    quoted = r'Subject="CN=\"x;Cert=\"";Cert="' + _nginx(mine) + '";URI=spiffe://a?b=c;DNS=a;DNS=b'
    assert forwarded.certificate([quoted]).leaf == mine.certificate
    for both in (
        f"{_envoy(another)},{_envoy(mine)}",
        f"{_envoy(another)};{_envoy(mine)}",
        f"By=spiffe://edge,{_envoy(mine)}",
        f'By="{_envoy(mine)}',
    ):
        assert forwarded.certificate([both]) is None


USAGE = {
    "digital_signature": True,
    **dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False),
    **dict.fromkeys(("crl_sign", "encipher_only", "decipher_only"), False),
}


NO_SIGNING = [x509.BasicConstraints(ca=True, path_length=None), x509.KeyUsage(key_cert_sign=False, **USAGE)]


def test_who_vouches_for_a_forwarded_certificate_is_an_authority_now_and_it_is_for_clients(ca):
    forwarding = forwarded.Forwarding(anchors=lambda: anchors)
    anchors = [ca.certificate]
    for usages, is_taken in (
        (pki.CLIENT, True),
        ((), True),
        (pki.SERVER, False),
    ):
        shown = forwarding.certificate([_haproxy(ca.station("CP3", usages=usages))])
        assert (shown is not None) is is_taken

    past = Authority.root("past", valid=(-DAY, -DAY / 2))
    station, by_name = ca.station("a station"), Authority.root("a station")
    by_name.key = station.key
    reader, by_key = ca.leaf("x", extensions=NO_SIGNING), Authority.root("x")
    by_key.key = reader.key
    for anchor, authority in ((past.certificate, past), (station.certificate, by_name), (reader.certificate, by_key)):
        anchors[:] = [anchor]
        assert forwarding.certificate([_haproxy(authority.station("CP3"))]) is None
