"""Credentials that other services change: passwords that stand beside the old one, and the least profile."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_device.registration.domain import Passwords
from chargebus_device.registration.errors import NoChangeError, OperatorChangeError
from chargebus_device.registration.resources import StationIn
from chargebus_device.registration.tasks import PasswordExpiry
from chargebus_events.credentials import CredentialsChange
from chargebus_events.record import Received
from chargebus_events.registry import RegisteredStation
from chargebus_events.topics import REGISTRY
from chargebus_runtime.secrets import fingerprint, hash_generated

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SOON = NOW + timedelta(hours=1)
OLD, OPERATORS, SERVICES = map(hash_generated, ("old", "operator's", "service's"))


def received(record, offset):
    return Received(record.topic, 0, offset, record.key, record.value, dict(record.headers))


@pytest.fixture
async def change(device):
    """Register a station; return what applies a change of its credentials and returns the records of the registry."""
    await device.registrar.register(StationIn(station_id="CS-1"))
    numbers = iter(range(1, 100))

    async def apply(station_id="CS-1", **values):
        number = next(numbers)
        at = values.pop("at", device.time() + timedelta(seconds=number))
        record = CredentialsChange(station_id, str(number), "security", at, **values).record()
        sent = await device.apply(received(record, number))
        return [msgspec.json.decode(each.value, type=RegisteredStation) for each in sent if each.topic == REGISTRY]

    return apply


async def test_a_password_that_a_service_gives_stands_beside_the_old_one_once(change):
    new = hash_generated("new")

    [given] = await change(give=new)

    assert (given.newer_password_hashes, given.password_hash != new) == ((new,), True)
    assert await change(give=new) == []


async def test_a_password_that_was_not_used_is_taken_back_and_one_that_was_used_is_not(device, change):
    unused, used = hash_generated("unused"), hash_generated("used")
    await change(give=unused)
    [given] = await change(give=used)

    [taken_back] = await change(take_back=unused)
    await device.apply(device.presence(7, credential=fingerprint(used)))

    assert taken_back.newer_password_hashes == (used,)
    assert taken_back.password_hash == given.password_hash
    assert await change(take_back=used) == []
    assert await device.fetch("SELECT password_hash, newer_password_hashes FROM station") == [(used, [])]


async def test_a_station_that_has_used_none_of_so_many_gets_no_other(change):
    for number in range(3):
        await change(give=hash_generated(str(number)))

    assert await change(give=hash_generated("one more")) == []


async def test_the_least_profile_is_raised_and_is_lowered_only_if_that_is_meant(change):
    [raised] = await change(security_profile=2)
    kept = await change(security_profile=1)
    [lowered] = await change(security_profile=1, lowers=True)

    assert (raised.security_profile, kept, lowered.security_profile) == (2, [], 1)


async def test_a_change_of_a_station_that_is_not_registered_changes_nothing(change):
    assert await change("CS-2", give=hash_generated("new"), security_profile=2) == []


@pytest.mark.parametrize("older_until", [None, SOON])
def test_a_service_gives_none_while_an_operators_waits_to_be_used(older_until):
    known = Passwords(OLD).given(OPERATORS, NOW, older_until)

    with pytest.raises(OperatorChangeError):
        known.given_by_service(SERVICES, NOW)
    used = known.used(fingerprint(OPERATORS), NOW)
    assert used.given_by_service(SERVICES, NOW).newer == (SERVICES,)


def test_a_services_password_that_the_station_uses_stays_when_the_operators_time_has_come():
    known = Passwords(OLD).given_by_service(SERVICES, NOW).given(OPERATORS, NOW, SOON)

    unused, used = known.expired(SOON), known.used(fingerprint(SERVICES), NOW).expired(SOON)

    for left in (unused, used):
        assert (left.current, left.newer, left.older_until) == (SERVICES, (OPERATORS,), None)


def test_a_services_password_that_was_in_use_before_the_operators_ends_with_the_older_ones():
    known = Passwords(OLD).given_by_service(SERVICES, NOW).used(fingerprint(SERVICES), NOW)

    assert known.given(OPERATORS, NOW, SOON).expired(SOON) == Passwords(OPERATORS, changed_at=SOON)


def test_an_operator_cannot_leave_a_station_with_a_services_password_alone_that_it_may_not_have_got():
    known = Passwords(OLD).given_by_service(SERVICES, NOW)

    with pytest.raises(NoChangeError, match="campaign"):
        known.without_older(NOW)
    assert known.given(OPERATORS, NOW, NOW) == Passwords(OPERATORS, changed_at=NOW)


async def test_who_gave_a_password_is_known_when_its_time_comes(device, change):
    given = hash_generated("new")
    await change(give=given)
    await device.registrar.rotate("CS-1", older_valid_s=60)
    device.time.pass_s(60)

    await PasswordExpiry(device.database).sweep()

    [(current, newer, until)] = await device.fetch(
        "SELECT password_hash, cardinality(newer_password_hashes), older_passwords_until FROM station"
    )
    assert (current, newer, until) == (given, 1, None)


async def test_a_change_that_comes_late_is_not_taken_again(device, change):
    first, second = hash_generated("first"), hash_generated("second")
    for number, new in enumerate((first, second)):
        await change(give=new, at=device.time() + timedelta(seconds=100 + number))
        await device.apply(device.presence(7 + number, credential=fingerprint(new)))
    await change(security_profile=2, at=device.time() + timedelta(seconds=102))
    await change(security_profile=1, lowers=True, at=device.time() + timedelta(seconds=103))

    assert await change(give=first, at=device.time() + timedelta(seconds=100)) == []
    assert await change(security_profile=2, at=device.time() + timedelta(seconds=102)) == []


async def test_a_change_that_was_meant_for_an_earlier_station_of_the_id_changes_nothing(device, change):
    assert await change(give=hash_generated("new"), at=device.time() - timedelta(seconds=1)) == []
