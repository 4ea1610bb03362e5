"""Whom an image is for, where it may lie, and whether it is signed as it should be."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from chargebus_firmware.images.domain.image import Image, content_objection, misfit, objections
from chargebus_firmware.images.domain.signing import certificate_objections, signature_objection
from chargebus_firmware.images.domain.upload import Checksum
from chargebus_testkit.signing import (
    ED25519,
    NOW,
    P256,
    P384,
    RSA_1024,
    RSA_2048,
    certificate,
    signature,
    signature_pkcs1,
)

CONTENT = b"firmware" * 1000
DIGEST = hashlib.sha256(CONTENT).digest()
IMAGE = Image(
    image_id="i-1",
    name="Acme 1.2",
    version="1.2",
    vendor="Acme",
    models=("A1", "A2"),
    from_versions=("1.0", "1.1"),
    same_version=False,
    file_name="acme.bin",
    url=None,
    expected_sha256=None,
    signing_certificate=None,
    signature=None,
    created_at=NOW,
    created_by="k",
)


@pytest.mark.parametrize(
    ("vendor", "model", "version", "why"),
    [
        ("Acme", "A1", "1.0", None),
        ("Other", "A1", "1.0", "It is for Acme, and the station is of Other."),
        ("", "A1", "1.0", "It is for Acme, and the station is of an unknown vendor."),
        ("Acme", "A3", "1.0", "It is for the models A1, A2, and the station is a A3."),
        ("Acme", "A2", "0.9", "It goes onto 1.0, 1.1, and the station runs 0.9."),
        ("Acme", "A2", "1.2", "The station runs 1.2 already."),
    ],
)
def test_an_image_fits_make_and_version(vendor, model, version, why):
    assert misfit(IMAGE, vendor, model, version) == why


def test_the_same_version_is_installed_again_where_the_image_says_so():
    assert misfit(replace(IMAGE, same_version=True), "Acme", "A1", "1.2") is None


def test_an_image_that_names_no_models_and_versions_is_for_all_of_the_vendor():
    assert misfit(replace(IMAGE, models=(), from_versions=()), "Acme", "X", "0.1") is None


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "sftp"])
def test_an_image_may_lie_where_stations_can_fetch_it(scheme):
    image = replace(IMAGE, url=f"{scheme}://user:secret@host.example:99/fw.bin", expected_sha256="0" * 64)

    assert list(objections(image, NOW)) == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://host/x",
        "//host/x",
        "http:///x",
        "http://host",
        "http://[x/y",
        "http://host:abc/x",
    ],
)
def test_an_url_that_no_station_can_fetch_is_refused(url):
    assert [each.where for each in objections(replace(IMAGE, url=url, expected_sha256="0" * 64), NOW)] == ["url"]


def test_what_lies_elsewhere_needs_a_checksum():
    assert [each.where for each in objections(replace(IMAGE, url="https://host/fw.bin"), NOW)] == ["sha256"]


def test_a_certificate_and_a_signature_go_together():
    [lone] = objections(replace(IMAGE, signature="eA=="), NOW)

    assert lone.where == "signing_certificate"


@pytest.mark.parametrize("key", [P256, RSA_2048], ids=["ECDSA", "RSA-PSS"])
def test_L01_FR_11_a_signature_over_the_sha256_by_the_certificates_key_is_taken(key):
    assert list(certificate_objections(certificate(key), NOW)) == []
    assert signature_objection(certificate(key), signature(key, CONTENT), DIGEST) is None


@pytest.mark.parametrize("salt", [32, 222])
def test_a_salt_of_any_length_is_taken(salt):
    assert signature_objection(certificate(RSA_2048), signature(RSA_2048, CONTENT, salt), DIGEST) is None


@pytest.mark.parametrize("key", [P256, RSA_2048], ids=["ECDSA", "RSA-PSS"])
def test_a_signature_of_another_content_or_by_another_key_fails(key):
    of_another = signature(key, CONTENT + b"x")
    other_key = {P256: RSA_2048, RSA_2048: P256}[key]

    assert "is not of this content" in (signature_objection(certificate(key), of_another, DIGEST) or "")
    assert "is not of this content" in (
        signature_objection(certificate(key), signature(other_key, CONTENT), DIGEST) or ""
    )


def test_a_signature_with_the_older_padding_fails():
    assert "RSA-PSS" in (signature_objection(certificate(RSA_2048), signature_pkcs1(RSA_2048, CONTENT), DIGEST) or "")


def test_what_is_no_base64_is_no_signature():
    assert signature_objection(certificate(P256), "not base64!", DIGEST) == "The signature is not base64."


@pytest.mark.parametrize(
    ("pem", "what"),
    [
        ("nothing", "is no X.509 certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is no X.509 certificate in PEM"),
        (certificate(P256, ends=timedelta(hours=-1)), "was valid until"),
        (certificate(P256, begins=timedelta(hours=1)), "is valid from"),
        (certificate(RSA_1024), "RSA key of 1024 bits"),
        (certificate(P384), "curve secp384r1"),
        (certificate(ED25519), "neither RSA nor on the curve P-256"),
    ],
    ids=["text", "garbage", "over", "not yet", "short", "another curve", "another kind"],
)
def test_a_certificate_that_signs_no_images_is_refused(pem, what):
    [found] = certificate_objections(pem, NOW)

    assert what in found


def test_a_content_is_held_against_what_is_said_of_it():
    expecting = replace(IMAGE, expected_sha256=DIGEST.hex())

    assert content_objection(IMAGE, DIGEST.hex()) is None
    assert content_objection(expecting, DIGEST.hex()) is None
    assert DIGEST.hex() in (content_objection(expecting, "0" * 64) or "")


@pytest.mark.parametrize("header", ["", "sha256", "crc32 AAAA", "sha256 !", "sha256 ="])
def test_a_checksum_that_is_none_is_refused(header):
    if header == "sha256":
        assert Checksum.of(header).digest == b""  # of nothing, which is no hash of anything: it never fits
        return
    with pytest.raises(ValueError, match="takes"):
        Checksum.of(header)
