from datetime import UTC, datetime, timedelta
from uuid import UUID

from chargebus_metering.domain.identity import (
    EPOCH,
    FIRST_ID,
    LAST_ID,
    Place,
    first_id,
    last_id,
    microseconds,
    reading_id,
)
from hypothesis import given
from hypothesis import strategies as st

moments = st.datetimes(timezones=st.just(UTC))
since_1970 = st.datetimes(min_value=EPOCH.replace(tzinfo=None), timezones=st.just(UTC))
parts = st.lists(st.one_of(st.text(), st.integers(-(2**31), 2**31), st.none()), max_size=6)


@given(moments, parts)
def test_a_reading_id_is_a_uuid_of_version_8(moment, identity):
    parsed = UUID(reading_id(microseconds(moment), *identity))
    assert (parsed.version, parsed.variant) == (8, "specified in RFC 4122")


@given(moments, parts)
def test_the_same_reading_has_the_same_id(moment, identity):
    assert reading_id(microseconds(moment), *identity) == reading_id(microseconds(moment), *list(identity))


@given(moments, parts, parts)
def test_readings_that_differ_have_ids_that_differ(moment, one, other):
    same = reading_id(microseconds(moment), *one) == reading_id(microseconds(moment), *other)
    assert same == (one == other)


@given(since_1970, since_1970, parts, parts)
def test_ids_are_in_the_order_of_time(one, other, identity, other_identity):
    if other - one >= timedelta(milliseconds=1):
        assert reading_id(microseconds(one), *identity) < reading_id(microseconds(other), *other_identity)


@given(moments, parts)
def test_bounds_of_a_moment_hold_its_readings(moment, identity):
    name = reading_id(microseconds(moment), *identity)
    assert FIRST_ID <= first_id(moment) < name < last_id(moment) <= LAST_ID


def test_the_first_48_bits_are_the_time_in_milliseconds():
    moment = datetime(2024, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    assert UUID(reading_id(microseconds(moment), "cs-1")).int >> 80 == int(moment.timestamp() * 1000)


def test_times_before_1970_count_as_1970_in_those_bits_and_are_told_apart():
    before = [reading_id(microseconds(datetime(year, 1, 1, tzinfo=UTC)), "cs-1") for year in (1, 1969)]
    assert [UUID(name).int >> 80 for name in before] == [0, 0]
    assert before[0] != before[1]


def test_microseconds_tell_readings_apart():
    moment = datetime(2024, 5, 1, tzinfo=UTC)
    assert reading_id(microseconds(moment), "a") != reading_id(microseconds(moment) + 1, "a")


def test_a_transaction_stands_for_its_evse():
    told, untold = Place("cs-1", 2, 1, "77"), Place("cs-1", None, 0, "77")
    assert told.identity() == untold.identity()


def test_without_a_transaction_the_evse_and_the_connector_tell_places_apart():
    places = [Place("cs-1", 0), Place("cs-1", 1), Place("cs-1", 1, 1), Place("cs-2", 1), Place("cs-1", None)]
    assert len({place.identity() for place in places}) == len(places)


@given(st.text(), st.text(), st.text())
def test_a_station_cannot_be_taken_for_anothers_transaction(station, other, transaction):
    if transaction and (station != other):
        assert Place(station, 1, 1, transaction).identity() != Place(other, 1, 1, transaction).identity()
