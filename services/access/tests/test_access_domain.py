"""There is always an administrator."""

from datetime import UTC, datetime, timedelta

from chargebus_access.domain.keys import StoredKey, WantedKey, is_last_admin
from chargebus_access.operations import new_key
from chargebus_events.access import ApiKey
from chargebus_runtime import secrets
from chargebus_runtime.keys import split_key
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, tzinfo=UTC)
MOMENTS = st.none() | st.sampled_from([NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)])


@st.composite
def stored_keys(draw):
    key = ApiKey(draw(st.uuids()).hex, "", draw(st.sampled_from(["viewer", "admin"])), "", NOW, draw(MOMENTS))
    return StoredKey(key, revoked_at=draw(st.none() | st.just(NOW)))


@given(st.lists(stored_keys(), max_size=6))
def test_whatever_may_be_revoked_one_admin_remains(keys):
    admins = [stored for stored in keys if stored.key.role == "admin" and stored.works(NOW)]
    for stored in keys:
        others = [admin for admin in admins if admin is not stored]
        assert is_last_admin(stored.key.key_id, keys, NOW) == (bool(admins) and not others)


def test_a_made_key_opens_with_what_its_holder_presents_and_with_nothing_else():
    made = new_key(WantedKey("me", "viewer"), NOW)
    key_id, secret = split_key(made.presented)

    assert key_id == made.stored.key.key_id
    assert secrets.verify(secret.encode(), made.stored.key.secret_hash)
    assert not secrets.verify(secret[:-1].encode(), made.stored.key.secret_hash)
    assert secret not in made.stored.key.secret_hash
