"""When a station was heard last, and how often."""

from datetime import UTC, datetime, timedelta

from chargebus_smart_charging.limits.domain.hearing import Hearing, heard_again

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_station_that_was_never_heard_is_heard_once():
    assert heard_again(None, Hearing("CS-1", NOW)) == Hearing("CS-1", NOW, 1)


def test_what_comes_late_counts_and_does_not_set_the_time_back():
    late = Hearing("CS-1", NOW - timedelta(hours=1))

    assert heard_again(Hearing("CS-1", NOW, 2), late) == Hearing("CS-1", NOW, 3)
