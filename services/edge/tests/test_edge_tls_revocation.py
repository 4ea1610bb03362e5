"""Whether a client certificate was revoked: by lists in files and by a responder that really answers."""

import asyncio
import socket as sockets
import ssl
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_certificates.proof import NoProofError
from chargebus_edge.counts import Counts
from chargebus_edge.door.certificates import ClientCertificate
from chargebus_edge.door.revocation import KEPT, REST, RESTS_AFTER, Revocation, RevocationParts, Revoked
from chargebus_edge.tls.files import TlsFilesError
from chargebus_edge.tls.revocation_lists import RevocationLists, load
from chargebus_testkit import pki
from chargebus_testkit.waiting import until
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from websockets.exceptions import InvalidStatus

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


@pytest.fixture
def responder():
    with pki.pki_server() as server:
        yield server


@pytest.fixture
def root(responder):
    return pki.Authority.root("a root", responder)


@pytest.fixture
def between(root):
    return root.sub("an intermediate")


@pytest.fixture
def run_tls(run_edge, root, tmp_path):
    @asynccontextmanager
    async def run(**settings):
        certificate, key = root.leaf("localhost", sans=["localhost"], usages=pki.SERVER).write(tmp_path, "server")
        settings = {
            "allow_plain_ws": False,
            "tls_port": 0,
            "tls_certificates": [certificate],
            "tls_keys": [key],
            "tls_client_ca": [root.write(tmp_path)],
            "tls_look_s": 0.05,
            "tls_ocsp_networks": ["127.0.0.0/8"],
            **settings,
        }
        async with run_edge(**settings) as edge:
            edge.register("CP1", security_profile=3)
            edge.url = lambda _path: f"wss://localhost:{edge.edge.server.port_of('wss')}/ocpp/CP1"
            yield edge

    return run


def connect(edge, context):
    return edge.connect("CP1", ssl=context, host="127.0.0.1", additional_headers={"X-Nothing": "1"})


async def status_of(connecting):
    with pytest.raises(InvalidStatus) as refused:
        await connecting
    return refused.value.response.status_code


# At the edge


@pytest.mark.parametrize("revoke", ["leaf", "intermediate"])
async def test_a_certificate_that_a_list_names_is_refused_and_a_list_is_taken_anew(
    run_tls, root, between, tmp_path, revoke
):
    leaf = between.leaf("CP1", usages=pki.CLIENT)
    lists = [root.write_crl(tmp_path, "root"), between.write_crl(tmp_path, "between")]
    async with run_tls(tls_crls=lists, tls_ocsp=False, tls_revocation="hard") as edge:
        context = pki.client_context(root, leaf, tmp_path)
        async with connect(edge, context):
            pass
        if revoke == "leaf":
            between.revoke(leaf)
            between.write_crl(tmp_path, "between")
        else:
            root.revoke(between)
            root.write_crl(tmp_path, "root")
        counts = edge.edge.server._parts.counts
        await until(lambda: counts.tls_reloads["taken"] == 1)
        assert await status_of(connect(edge, context)) == 403
        assert counts.handshakes_refused == {"certificate revoked": 1}


async def test_a_list_that_is_none_leaves_the_old_ones(run_tls, root, tmp_path):
    crl = root.write_crl(tmp_path, "root")
    leaf = root.leaf("CP1", usages=pki.CLIENT)
    async with run_tls(tls_crls=[crl], tls_ocsp=False, tls_revocation="hard") as edge:
        crl.write_bytes(b"nothing")
        await until(lambda: edge.edge.server._parts.counts.tls_reloads["refused"] == 1)
        async with connect(edge, pki.client_context(root, leaf, tmp_path)):
            pass


async def test_a_responder_is_asked_once_and_what_it_says_counts(run_tls, responder, root, between, tmp_path):
    good, bad = (between.leaf("CP1", usages=pki.CLIENT) for _ in range(2))
    between.revoke(bad)
    async with run_tls(tls_revocation="hard") as edge:
        for _ in range(2):
            async with connect(edge, pki.client_context(root, good, tmp_path)):
                pass
        assert {asked.serial_number for asked in responder.asked} == {
            good.certificate.serial_number,
            between.certificate.serial_number,
        }
        assert len(responder.asked) == 2
        assert await status_of(connect(edge, pki.client_context(root, bad, tmp_path))) == 403


@pytest.mark.parametrize("policy", ["off", "soft", "hard"])
async def test_the_policy_says_what_becomes_of_those_whose_state_nobody_tells(
    run_tls, responder, root, tmp_path, policy
):
    responder.status = 500
    leaf = root.leaf("CP1", usages=pki.CLIENT)
    async with run_tls(tls_revocation=policy) as edge:
        connecting = connect(edge, pki.client_context(root, leaf, tmp_path))
        if policy == "hard":
            assert await status_of(connecting) == 503
        else:
            async with connecting:
                pass
        assert edge.edge.server._parts.counts.events["revocation_unknown"] == (policy != "off")


async def test_a_certificate_does_not_send_the_edge_into_its_own_network(run_tls, responder, root, tmp_path):
    async with run_tls(tls_revocation="hard", tls_ocsp_networks=[]) as edge:
        assert (
            await status_of(connect(edge, pki.client_context(root, root.leaf("CP1", usages=pki.CLIENT), tmp_path)))
            == 503
        )
    assert responder.asked == []


async def test_nobody_else_waits_while_a_responder_takes_its_time(run_tls, responder, root, tmp_path):
    responder.delay_s = 3.0
    slow, quick = (root.leaf("CP1", usages=pki.CLIENT) for _ in range(2))
    async with run_tls(tls_revocation="hard") as edge:
        first = asyncio.create_task(connect(edge, pki.client_context(root, slow, tmp_path)).__aenter__())
        await until(lambda: len(responder.asked) == 1)
        edge.register("CP1", certificate_pins=["aa"])
        assert await status_of(connect(edge, pki.client_context(root, quick, tmp_path))) == 403  # not asked about
        assert not first.done()
        with pytest.raises(InvalidStatus):
            await first


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_whose_session_is_resumed_is_revoked_even_if_it_said_nothing_before(  # noqa: PLR0913, PLR0917
    run_tls, root, between, tmp_path, handshake, version
):
    lists = [root.write_crl(tmp_path, "root"), between.write_crl(tmp_path, "between")]
    leaves = {"101": between.leaf("CP1", usages=pki.CLIENT), "403": between.leaf("CP1", usages=pki.CLIENT)}
    between.revoke(leaves["403"])
    between.write_crl(tmp_path, "between")
    async with run_tls(tls_crls=lists, tls_ocsp=False, tls_revocation="soft") as edge:
        port = edge.edge.server.port_of("wss")
        for status, leaf in leaves.items():
            context = pki.client_context(root, leaf, tmp_path)
            context.minimum_version = context.maximum_version = version
            session = await asyncio.to_thread(shaken_hands, context, port)
            answer, reused, _ = await asyncio.to_thread(handshake, context, port, session)
            assert (answer.split()[1].decode(), reused) == (status, True)


def shaken_hands(context, port):
    """Do a handshake, take what resumes its session, and hang up."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with sockets.create_connection(("127.0.0.1", port)) as plain:

        def turn(act):
            while True:
                try:
                    return act()
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(65536))
                finally:
                    plain.sendall(outgoing.read())

        turn(tls.do_handshake)
        while not tls.session.has_ticket:
            incoming.write(plain.recv(65536))
            with suppress(ssl.SSLWantReadError):
                tls.read(1)
        return tls.session


# Answers, without an edge


class Played:
    """A responder that answers at once, and a clock that is set."""

    def __init__(self, server, root, **parts):
        self.server, self.now, self.asked, self.away = server, datetime.now(UTC), 0, False
        parts = {"policy": "hard", "lists": RevocationLists, **parts}
        self.counts = Counts(lambda: 0.0)
        self.revocation = Revocation(
            RevocationParts(
                anchors=lambda: (root.certificate,),
                ask=self.ask,
                clock=lambda: self.now,
                counts=self.counts,
                **parts,
            )
        )

    async def ask(self, url, request):
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise NoProofError("away")
        return self.server.answer(request)

    async def refuses(self, leaf, above=()):
        return await self.revocation.refuses(
            ClientCertificate(leaf.certificate, tuple(each.certificate for each in above))
        )


async def test_an_answer_counts_until_its_next_update(responder, root):
    played, leaf = Played(responder, root), root.leaf("CP1")
    responder.lasts = timedelta(hours=2)
    assert await played.refuses(leaf) is None
    root.revoke(leaf)
    played.now += timedelta(hours=1)
    assert await played.refuses(leaf) is None
    played.now += timedelta(hours=1, minutes=1)
    responder.lasts = timedelta(hours=4)
    assert await played.refuses(leaf) is Revoked.YES
    assert played.asked == 2


async def test_those_that_come_at_once_with_one_certificate_ask_once(responder, root):
    played, leaf = Played(responder, root), root.leaf("CP1")
    assert await asyncio.gather(*(played.refuses(leaf) for _ in range(5))) == [None] * 5
    assert played.asked == 1


async def test_a_responder_that_is_away_is_left_alone_for_a_while(responder, root):
    played, leaves = Played(responder, root), [root.leaf(f"CP{each}") for each in range(5)]
    played.away = True
    assert [await played.refuses(leaf) for leaf in leaves] == [Revoked.UNKNOWN] * 5
    assert played.asked == RESTS_AFTER
    played.away = False
    played.now += REST + timedelta(seconds=1)
    assert await played.refuses(leaves[0]) is None


async def test_a_responder_that_fails_once_is_asked_about_the_next(responder, root):
    played = Played(responder, root, policy="soft")
    for _ in range(RESTS_AFTER + 1):
        played.away = True
        assert await played.refuses(root.leaf("CP1")) is None
        played.away, revoked = False, root.leaf("CP2")
        root.revoke(revoked)
        assert await played.refuses(revoked) is Revoked.YES


async def test_of_a_resumed_session_the_issuer_is_known_from_before(responder, root, between):
    played, leaf = Played(responder, root), between.leaf("CP1")
    assert await played.refuses(leaf) is Revoked.UNKNOWN
    assert await played.refuses(leaf, [between, root]) is None
    assert await played.refuses(leaf) is None


@pytest.mark.parametrize("policy", ["off", "soft", "hard"])
async def test_a_resumed_session_of_an_issuer_that_nobody_showed_is_turned_away(responder, root, between, policy):
    played, leaf = Played(responder, root, policy=policy), between.leaf("CP1")
    resumed = ClientCertificate(leaf.certificate, resumed=True)
    unknown = None if policy == "off" else Revoked.UNKNOWN
    assert await played.revocation.refuses(resumed) is unknown
    played.revocation.remember(resumed)
    assert await played.revocation.refuses(resumed) is unknown
    played.revocation.remember(ClientCertificate(leaf.certificate, (between.certificate, root.certificate)))
    assert await played.revocation.refuses(resumed) is None


async def test_an_unknown_certificate_and_one_without_a_responder_are_unknown(responder, root):
    played = Played(responder, root)
    stranger = root.leaf("CP1")
    root.issued.clear()
    assert await played.refuses(stranger) is Revoked.UNKNOWN
    silent = pki.Authority.root("nobody to ask")
    assert await Played(responder, silent).refuses(silent.leaf("CP1")) is Revoked.UNKNOWN
    assert KEPT > 100_000


def test_a_file_with_a_list_of_a_part_is_refused(root, tmp_path):
    builder = x509.CertificateRevocationListBuilder().issuer_name(root.certificate.subject)
    builder = builder.last_update(NOW - DAY).next_update(NOW + DAY)
    path = tmp_path / "part.crl"
    part = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True).sign(root.key, hashes.SHA256())
    path.write_bytes(part.public_bytes(Encoding.DER))
    with pytest.raises(TlsFilesError, match=r"part\.crl cannot be used: it holds only what has changed"):
        load([path])


def test_a_list_for_other_certificates_of_its_issuer_tells_of_those_it_names_only(root, tmp_path):
    leaf, bad = (root.leaf("CP1").certificate for _ in range(2))
    root.revoke(bad)
    place = x509.UniformResourceIdentifier("http://pki.example.com/part-2.crl")
    point = x509.IssuingDistributionPoint([place], None, False, False, None, False, False)
    crl = x509.load_der_x509_crl(root.crl())
    builder = x509.CertificateRevocationListBuilder(crl.issuer, NOW - DAY, NOW + DAY, [], list(crl))
    path = tmp_path / "part.crl"
    part = builder.add_extension(point, critical=True).sign(root.key, hashes.SHA256())
    path.write_bytes(part.public_bytes(Encoding.DER))
    lists = load([path])
    assert [lists.revoked(each, root.certificate, NOW) for each in (leaf, bad)] == [None, True]


def test_a_list_counts_from_its_issuer_only_and_as_long_as_it_says(root, tmp_path):
    leaf, now = root.leaf("CP1"), datetime.now(UTC)
    pem = root.write_crl(tmp_path)
    der = tmp_path / "der.crl"
    der.write_bytes(root.crl())
    for path in (pem, der):
        lists = load([path])
        assert lists.revoked(leaf.certificate, root.certificate, now) is False
        assert lists.revoked(leaf.certificate, root.certificate, now + 2 * DAY) is None
        twin = pki.Authority.root("a root")
        assert lists.revoked(leaf.certificate, twin.certificate, now) is None
    root.revoke(leaf)
    lists = load([root.write_crl(tmp_path)])
    assert lists.revoked(leaf.certificate, root.certificate, now + 2 * DAY) is True
    pem.write_bytes(b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
    with pytest.raises(TlsFilesError, match="no list of revoked certificates"):
        load([pem])
