"""What the chain of a contract certificate is worth by itself."""

from datetime import UTC, datetime, timedelta

import pytest
from chargebus_security.contracts.domain.chain import Authorities, check_name, find_path
from chargebus_security.contracts.errors import RefusedContractError
from chargebus_security.inventory.domain.certificate import read_pem
from chargebus_testkit.pki import DAY, Authority, make_key, name, pem
from chargebus_testkit.v2g_pki import V2gPki
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

NOW = datetime.now(UTC)
EMAID = "DE8AAC123456780"
PKI = V2gPki.make()
TRUSTED = Authorities([PKI.mobility_root.certificate, PKI.v2g.certificate])


def refused(chain, authorities=TRUSTED, now=NOW):
    with pytest.raises(RefusedContractError) as refusal:
        find_path(read_pem(chain), authorities, now)
    return refusal.value.check


def subjects(path):
    return [each.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value for each in path]


@pytest.mark.parametrize("root", [False, True])
def test_C07_a_chain_leads_to_a_root_that_is_trusted_with_or_without_it(root):
    path = find_path(read_pem(PKI.contract(EMAID).chain(root=root)), TRUSTED, NOW)
    assert subjects(path) == [EMAID, "MO Sub-CA 2", "MO Sub-CA 1", "MO Root CA"]


def test_a_leaf_alone_is_enough_where_its_authorities_are_known_and_order_does_not_matter():
    contract = PKI.contract(EMAID)
    alone = find_path(read_pem(contract.pem), Authorities(TRUSTED.anchors, PKI.mobility.chain()), NOW)
    leaf, *others = read_pem(contract.chain(root=True))
    assert subjects(alone) == subjects(find_path([leaf, *reversed(others)], TRUSTED, NOW))


def test_C07_FR_17_a_chain_that_leads_to_no_trusted_root_is_refused_even_with_its_root():
    stranger = V2gPki.make().contract(EMAID)
    assert refused(stranger.chain(root=True)).status == "CertChainError"
    assert refused(PKI.contract(EMAID).pem).status == "CertChainError"
    assert refused(PKI.contract(EMAID).chain(), Authorities()).status == "CertChainError"


def test_a_certificate_that_is_not_signed_by_the_issuer_it_names_has_a_signature_error():
    forger = Authority.root("forger").sub("MO Sub-CA 2", domain="MO")
    forged = forger.leaf(name(EMAID, domain="MO"))
    assert refused(forged.pem + "".join(map(pem, PKI.mobility.chain()))).status == "SignatureError"


@pytest.mark.parametrize("valid", [(-2 * DAY, -DAY), (DAY, 2 * DAY)])
def test_C07_FR_15_a_certificate_outside_of_its_time_is_expired(valid):
    assert refused(PKI.contract(EMAID, valid=valid).chain()).status == "CertificateExpired"


def test_C07_FR_15_an_authority_that_is_over_ends_what_it_issued():
    sub = PKI.mobility_root.sub("an old one", valid=(-3 * DAY, -timedelta(hours=1)))
    check = refused(sub.leaf(name(EMAID)).chain())
    assert (check.status, "an old one" in check.why) == ("CertificateExpired", True)


def test_a_way_round_an_expired_authority_is_taken():
    key = make_key()
    old = PKI.mobility_root.sub("twice", key, valid=(-3 * DAY, -DAY))
    new = PKI.mobility_root.sub("twice", key)
    certificates = [old.leaf(name(EMAID)).certificate, old.certificate, new.certificate]
    assert find_path(certificates, TRUSTED, NOW)[1] == new.certificate


def test_who_is_no_authority_signs_nothing_and_an_authority_is_no_contract():
    contract = PKI.contract(EMAID)
    below = Authority(contract.certificate, contract.key, PKI.mobility, None).leaf(name("DE8AAC000000000"))
    assert refused(below.chain()).status == "CertChainError"
    check = refused("".join(map(pem, PKI.mobility.chain())))
    assert (check.status, "no contract certificate" in check.why) == ("CertChainError", True)


def made(extensions, issuer=None, subject=None, key=None):
    """Return a contract certificate with extensions of its own."""
    issuer = issuer or PKI.mobility
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or name(EMAID))
        .issuer_name(issuer.certificate.subject)
        .public_key((key or make_key()).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer.key, hashes.SHA256())


def usage(**more):
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
    )
    used = dict.fromkeys(names.split(), False) | {"encipher_only": False, "decipher_only": False}
    return x509.KeyUsage(**(used | more))


@pytest.mark.parametrize(
    ("extension", "critical", "taken"),
    [
        (usage(digital_signature=True), True, True),
        (usage(key_agreement=True), True, False),
        (x509.NameConstraints([x509.DNSName("example.com")], None), True, False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), False, True),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True, False),
    ],
)
def test_what_a_certificate_may_be_used_for_and_what_is_not_understood(extension, critical, taken):
    chain = [made([(extension, critical)]), *PKI.mobility.chain()]
    if taken:
        assert find_path(chain, TRUSTED, NOW)
    else:
        assert refused("".join(map(pem, chain))).status == "CertChainError"


def test_an_authority_has_no_more_authorities_below_it_than_it_may():
    root = Authority.root("narrow")
    key = make_key()
    constrained = (
        x509.CertificateBuilder()
        .subject_name(name("no more below"))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root.key, hashes.SHA256())
    )
    narrow = Authority(constrained, key, root, None)
    trusted = Authorities([root.certificate])
    assert find_path(read_pem(narrow.leaf(name(EMAID)).chain()), trusted, NOW)
    check = refused(narrow.sub("one more").leaf(name(EMAID)).chain(), trusted)
    assert (check.status, "0 authorities below" in check.why) == ("CertChainError", True)


def test_a_maze_of_authorities_is_given_up():
    key = make_key()
    maze = [Authority.root("maze", key=key).sub("maze", key).certificate for _ in range(18)]
    leaf = made([], Authority(maze[0], key, None, None))
    assert refused("".join(map(pem, [leaf, *maze])))


@pytest.mark.parametrize("way", ["DE8AAC123456780", "de-8aa-c12345678", "DE-8AA-C12345678-0", "DE8AAC12345678"])
def test_C07_FR_01_the_certificate_is_that_of_the_emaid_however_it_is_written(way):
    check_name(PKI.contract(EMAID).certificate, way)
    check_name(PKI.contract("DE-8AA-C12345678").certificate, way)


@pytest.mark.parametrize("other", ["DE8AAC123456790", "", "ALICE"])
def test_the_certificate_of_another_contract_is_refused(other):
    with pytest.raises(RefusedContractError, match="DE8AAC123456780"):
        check_name(PKI.contract(EMAID).certificate, other)


@pytest.mark.parametrize(
    ("uses", "taken"),
    [
        ([ExtendedKeyUsageOID.SERVER_AUTH], False),
        ([ExtendedKeyUsageOID.OCSP_SIGNING], False),
        ([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH], True),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True),
    ],
)
def test_a_certificate_that_is_for_other_uses_is_no_contract(uses, taken):
    chain = [made([(x509.ExtendedKeyUsage(uses), False)]), *PKI.mobility.chain()]
    if taken:
        assert find_path(chain, TRUSTED, NOW)
    else:
        assert "other uses" in refused("".join(map(pem, chain))).why


@pytest.mark.parametrize(
    ("leaf", "sub", "taken"), [("", "", False), ("CPO", "CPO", False), ("MO", "", True), ("", "mo", True)]
)
def test_below_a_root_that_others_share_only_providers_certificates_are_contracts(leaf, sub, taken):
    provider = PKI.v2g.sub("a sub", domain=sub)
    chain = provider.leaf(name(EMAID, domain=leaf), usages=()).chain()
    shared = Authorities(TRUSTED.anchors, (), [PKI.v2g.certificate])
    if taken:
        assert find_path(read_pem(chain), shared, NOW)
    else:
        assert "domain component" in refused(chain, shared).why
    assert find_path(read_pem(chain), TRUSTED, NOW)


def test_a_contract_with_a_small_elliptic_key_is_refused():
    small = made([], key=ec.generate_private_key(ec.SECP192R1()))
    assert "192 bits" in refused("".join(map(pem, [small, *PKI.mobility.chain()]))).why
