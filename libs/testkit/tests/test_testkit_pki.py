"""The PKI of tests is one: OpenSSL takes its chains, its CRLs and OCSP answers say what was revoked."""

import ssl
from datetime import timedelta
from urllib.request import Request, urlopen

import pytest
from chargebus_testkit.pki import CLIENT, DAY, SERVER, Authority, csr, make_key, name, pki_server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str = "localhost") -> ssl.SSLObject:
    """Shake hands in memory; return the server's end."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(down, up, server_hostname=host)
    there = server.wrap_bio(up, down, server_side=True)
    done = set()
    for _ in range(10):
        for each in (here, there):
            if each not in done:
                try:
                    each.do_handshake()
                    done.add(each)
                except ssl.SSLWantReadError:
                    pass
    assert len(done) == 2
    return there


def contexts(tmp_path, server_leaf, client_leaf, root):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*server_leaf.write(tmp_path, "server"))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(root.write(tmp_path))
    client = ssl.create_default_context(cafile=str(root.write(tmp_path)))
    client.load_cert_chain(*client_leaf.write(tmp_path, "client"))
    return server, client


@pytest.mark.parametrize("kind", ["P-256", "P-384", "RSA-2048"])
def test_both_ends_take_chains_of_an_intermediate(tmp_path, kind):
    root = Authority.root()
    sub = root.sub()
    server, client = contexts(
        tmp_path,
        sub.leaf("localhost", sans=["localhost"], usages=SERVER, key=make_key(kind)),
        sub.leaf("CS-1", usages=CLIENT, key=make_key(kind)),
        root,
    )

    certificate = handshake(server, client).getpeercert()

    assert certificate is not None
    assert (("commonName", "CS-1"),) in certificate["subject"]


@pytest.mark.parametrize("valid", [(-2 * DAY, -DAY), (DAY, 2 * DAY)], ids=["expired", "not yet valid"])
def test_what_is_out_of_its_time_is_refused(tmp_path, valid):
    root = Authority.root(valid=(-3 * DAY, 3 * DAY))
    leaf = root.leaf("localhost", sans=["localhost"])
    server, client = contexts(tmp_path, leaf, root.leaf("CS-1", valid=valid), root)

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client)


def test_a_revoked_certificate_is_refused_by_the_crl(tmp_path):
    root = Authority.root()
    leaf, revoked = root.leaf("localhost", sans=["localhost"]), root.leaf("CS-1")
    root.revoke(revoked)
    server, client = contexts(tmp_path, leaf, revoked, root)
    server.load_verify_locations(root.write_crl(tmp_path))
    server.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF

    with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
        handshake(server, client)


def asked(leaf, url: str) -> ocsp.OCSPResponse:
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf.certificate, leaf.issuer.certificate, hashes.SHA256())
    body = request.add_extension(x509.OCSPNonce(b"0123456789abcdef"), critical=False).build()
    with urlopen(Request(url, body.public_bytes(serialization.Encoding.DER))) as answer:
        return ocsp.load_der_ocsp_response(answer.read())


def test_ocsp_and_crl_are_served_where_the_certificate_says(tmp_path):
    with pki_server() as server:
        sub = Authority.root("a root", server).sub()
        leaf = sub.leaf("CS-1")
        extensions = leaf.certificate.extensions
        access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        (url,) = [
            each.access_location.value for each in access if each.access_method == AuthorityInformationAccessOID.OCSP
        ]
        (point,) = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        good = asked(leaf, url)
        sub.revoke(leaf)
        revoked = asked(leaf, url)
        with urlopen(point.full_name[0].value) as answer:
            crl = x509.load_der_x509_crl(answer.read())
        server.status = 503
        with pytest.raises(OSError, match="503"):
            asked(leaf, url)

    assert good.certificate_status == ocsp.OCSPCertStatus.GOOD
    assert revoked.certificate_status == ocsp.OCSPCertStatus.REVOKED
    assert revoked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"0123456789abcdef"
    assert crl.is_signature_valid(sub.certificate_key)
    assert crl.get_revoked_certificate_by_serial_number(leaf.certificate.serial_number) is not None
    assert len(server.asked) == 3
    assert good.next_update_utc - good.this_update_utc > timedelta(hours=23)


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048"])
def test_a_request_with_the_version_of_some_stations_is_what_cryptography_refuses(kind):
    key = make_key(kind)
    good, odd = csr(key, name("CS-1", "Acme")), csr(key, name("CS-1", "Acme"), version=2)

    assert x509.load_pem_x509_csr(good.encode()).is_signature_valid
    with pytest.raises(x509.InvalidVersion):
        x509.load_pem_x509_csr(odd.encode())
