"""Parked records come back as they were."""

from datetime import UTC, datetime

import pytest
from asyncpg import UniqueViolationError
from chargebus_events.record import Received
from chargebus_runtime import parking

NOW = datetime(2026, 5, 1, tzinfo=UTC)
RECORD = Received("ocpp.frames.session", 3, 17, "s1", b'{"a":1}', {"ce_type": b"x", "ocpp_action": b"Authorize"})


def stored(record, offset: int) -> Received:
    return Received(record.topic, 0, offset, record.key, record.value, dict(record.headers))


def test_a_parked_record_is_replayed_as_it_was_and_says_that_it_is_a_replay():
    back = parking.replay(stored(parking.parked("session", RECORD, "ValueError: no", NOW), 5))
    assert (back.topic, back.key, back.value) == (RECORD.topic, RECORD.key, RECORD.value)
    assert dict(back.headers) == RECORD.headers | {"replay_of": b"5"}
    assert (parking.is_replay(stored(back, 18)), parking.is_replay(RECORD)) == (True, False)


def test_the_reason_and_the_place_are_kept():
    parked = stored(parking.parked("session", RECORD, "ValueError: no", NOW), 5)
    assert parked.topic == "session.parked"
    assert parked.text(parking.REASON) == "ValueError: no"
    assert (parked.text(parking.TOPIC), parked.text(parking.OFFSET)) == ("ocpp.frames.session", "17")


def test_a_replayed_record_is_no_longer_listed():
    first = stored(parking.parked("session", RECORD, "no", NOW), 0)
    second = stored(parking.parked("session", RECORD, "no", NOW), 1)
    note = stored(parking.replayed("session", first, NOW), 2)
    assert parking.still_parked([first, second, note]) == [second]


def test_what_was_never_parked_cannot_be_replayed():
    with pytest.raises(ValueError, match="not a parked record"):
        parking.replay(RECORD)


def test_a_dismissed_record_is_no_longer_listed():
    first = stored(parking.parked("session", RECORD, "no", NOW), 0)
    second = stored(parking.parked("session", RECORD, "no", NOW), 1)
    note = stored(parking.dismissed("session", second, NOW), 2)
    assert parking.still_parked([first, second, note]) == [first]


def test_a_reason_is_text_that_every_place_takes():
    reason = parking.reason_of(ValueError("\0 \ud800 " + "ä" * 5000))
    assert reason.startswith("ValueError: \\0 \\ud800 ä")
    assert len(reason.encode()) <= 2000


def test_what_health_shows_of_a_reason_has_none_of_the_data_that_postgresql_tells():
    error = UniqueViolationError("duplicate key value violates unique constraint")
    error.detail = "Key (id_token)=(04A2) already exists."
    reason = parking.reason_of(error)
    assert "04A2" in reason
    assert parking.in_short(reason) == "UniqueViolationError: duplicate key value violates unique constraint"


def test_health_shows_nothing_of_what_a_station_said_that_was_refused():
    reason = "refused: TypeConstraintViolation: idToken: \"04A2: B7\" is not of type 'object'"
    assert parking.in_short(reason) == "refused: TypeConstraintViolation"
