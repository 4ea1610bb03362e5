"""How certificates are named by their issuers."""

import hashlib

from chargebus_certificates.names import issuer_named, issuer_names, name_of
from chargebus_testkit.pki import Authority
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def test_hashes_are_those_of_the_issuers_name_and_of_its_key_alone():
    """The key without tag and length."""
    root = Authority.root("a root")
    leaf = root.leaf("CS-1").certificate
    key = root.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    name = name_of(leaf, root.certificate, hashes.SHA256())
    assert name.issuer == (hashlib.sha256(leaf.issuer.public_bytes()).digest(), hashlib.sha256(key).digest())
    assert name.serial_number == leaf.serial_number


def test_an_issuer_is_found_by_its_own_name_and_key():
    root = Authority.root("a root")
    sub = root.sub("an intermediate")
    name = name_of(sub.leaf("CS-1").certificate, sub.certificate, hashes.SHA1())
    twin = root.sub("an intermediate").certificate
    assert issuer_named(name, [root.certificate, twin, sub.certificate]) == sub.certificate
    assert issuer_named(name, [root.certificate, twin]) is None


def test_an_issuer_is_found_by_the_hash_of_its_whole_key_as_some_stations_have_it():
    root = Authority.root("a root")
    whole = root.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name = name_of(root.leaf("CS-1").certificate, root.certificate, hashes.SHA256())
    quirky = name._replace(issuer=name.issuer._replace(key_hash=hashlib.sha256(whole).digest()))
    assert quirky.issuer == issuer_names(root.certificate, hashes.SHA256())[1]
    assert issuer_named(quirky, [root.certificate]) == root.certificate
