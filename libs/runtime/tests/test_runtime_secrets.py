"""How secrets are made, kept and checked."""

import pytest
from chargebus_runtime import secrets
from hypothesis import given, settings
from hypothesis import strategies as st


def test_generated_passwords_fit_every_ocpp_version_and_differ():
    made = {secrets.generate_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(password) == 40 and int(password, 16) >= 0 for password in made)


@pytest.mark.parametrize("hash_secret", [secrets.hash_generated, secrets.hash_chosen])
def test_only_the_right_secret_matches(hash_secret):
    stored = hash_secret("correct horse battery")
    assert secrets.verify(b"correct horse battery", stored)
    assert not secrets.verify(b"correct horse batterY", stored)
    assert not secrets.verify(b"", stored)
    assert "correct" not in stored


def test_the_raw_bytes_of_a_hexadecimal_key_match_it():
    password = secrets.generate_password()
    assert secrets.verify(bytes.fromhex(password), secrets.hash_generated(password))
    assert secrets.verify(bytes.fromhex(password), secrets.hash_generated(password.upper()))


@pytest.mark.parametrize("hash_secret", [secrets.hash_generated, secrets.hash_chosen])
@pytest.mark.parametrize("length", [8, 20, 40])
def test_bytes_of_any_value_match_the_hexadecimal_digits_that_they_are_registered_as(hash_secret, length):
    raw = bytes((0x00, 0xFF, *range(0x70, 0x70 + length - 2)))
    assert secrets.verify(raw, hash_secret(raw.hex()))
    assert not secrets.verify(raw[::-1], hash_secret(raw.hex()))


def test_the_same_secret_is_stored_differently_each_time():
    assert secrets.hash_generated("x" * 40) != secrets.hash_generated("x" * 40)


def test_only_chosen_secrets_are_slow():
    assert secrets.is_slow(secrets.hash_chosen("a password of mine"))
    assert not secrets.is_slow(secrets.hash_generated(secrets.generate_password()))


@settings(max_examples=settings.default.max_examples // 2)
@given(st.binary(max_size=60), st.text(max_size=60))
def test_nothing_matches_a_stored_form_that_is_none(secret, stored):
    if not stored.startswith(("sha256$", "scrypt$")):
        assert not secrets.verify(secret, stored)
