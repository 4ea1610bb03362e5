"""What is sealed is read by who has the key, in its context and in its time, and by nobody else."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_runtime.sealing import Sealing, SealingError, generate_key
from chargebus_runtime.settings import RuntimeSettings
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32
SECRET = b'{"value":"correct-horse-batt"}'


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_sealed_comes_back_in_its_context(plain, context):
    sealing = Sealing([OLD])

    assert sealing.open(sealing.seal(plain, context, NOON), context, NOON) == plain


def test_what_is_sealed_shows_nothing_and_differs_each_time():
    sealing = Sealing([OLD])
    first, second = (sealing.seal(SECRET, "a", NOON) for _ in range(2))

    assert first != second
    assert b"horse" not in base64.urlsafe_b64decode(first.rpartition(".")[2]) + first.encode()


def test_in_another_context_it_is_nothing():
    sealed = Sealing([OLD]).seal(SECRET, "command/a/ChangeConfiguration/CS-1", NOON)

    with pytest.raises(SealingError, match="not sealed for this"):
        Sealing([OLD]).open(sealed, "command/a/ChangeConfiguration/CS-2", NOON)


def test_its_time_ends_and_cannot_be_made_longer():
    sealed = Sealing([OLD]).seal(SECRET, "a", NOON)
    name, until, body = sealed.split(".")
    later = NOON + timedelta(seconds=1)

    with pytest.raises(SealingError, match="is over"):
        Sealing([OLD]).open(sealed, "a", later)
    with pytest.raises(SealingError, match="was changed"):
        Sealing([OLD]).open(f"{name}.{int(until) + 60}.{body}", "a", later)


def test_keys_are_changed_one_by_one():
    by_old, by_new = (Sealing([key]).seal(SECRET, "a", NOON) for key in (OLD, NEW))
    for keys in ([OLD, NEW], [NEW, OLD]):
        assert [Sealing(keys).open(sealed, "a", NOON) for sealed in (by_old, by_new)] == [SECRET, SECRET]
        assert Sealing(keys[:1]).open(Sealing(keys).seal(SECRET, "a", NOON), "a", NOON) == SECRET

    with pytest.raises(SealingError, match="not in SEALING_KEYS"):
        Sealing([NEW]).open(by_old, "a", NOON)


@pytest.mark.parametrize("sealed", ["", ".", "..", "a.b.c", "\x00.1.é", "x" * 500])
def test_what_was_never_sealed_is_told_as_such(sealed):
    with pytest.raises(SealingError):
        Sealing([OLD]).open(sealed, "a", NOON)
    good = Sealing([OLD]).seal(SECRET, "a", NOON)
    with pytest.raises(SealingError):
        Sealing([OLD]).open(good.rpartition(".")[0] + "." + sealed, "a", NOON)


def test_without_a_key_nothing_is_sealed():
    assert not Sealing().has_keys
    with pytest.raises(SealingError, match="set SEALING_KEYS"):
        Sealing().seal(SECRET, "a", NOON)


def test_the_setting_takes_keys_as_tools_make_them(monkeypatch):
    standard, urlsafe = base64.b64encode(b"\xff" * 32).decode(), base64.urlsafe_b64encode(b"\xfe" * 32).decode()
    monkeypatch.setenv("SEALING_KEYS", f"{standard}, {urlsafe},{generate_key()}")
    sealed = Sealing([b"\xfe" * 32]).seal(SECRET, "a", NOON)

    assert RuntimeSettings().sealing().open(sealed, "a", NOON) == SECRET
    assert standard not in repr(RuntimeSettings())


@pytest.mark.parametrize("wrong", ["tooshort", "ö" * 44, base64.b64encode(b"k" * 31).decode()])
def test_a_wrong_key_is_named_and_not_shown(monkeypatch, wrong):
    monkeypatch.setenv("SEALING_KEYS", f"{generate_key()},{wrong}")

    with pytest.raises(ValidationError, match="key 2 is not 32 bytes") as refused:
        RuntimeSettings()
    assert wrong not in str(refused.value)
