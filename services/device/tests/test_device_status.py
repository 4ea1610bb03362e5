"""Which status report counts, and what follows for EVSE and station."""

from datetime import UTC, datetime, timedelta

import pytest
from chargebus_device.statuses.domain import (
    REPLAY,
    STALE_CLOCK,
    STATION,
    STATUSES,
    Place,
    Report,
    UnusableReportError,
    connector,
    counts_from,
    evse_status,
    is_news,
    station_status,
    take,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
PLACE = Place(1, 1)


def report(status="Available", said_at=None, **more):
    return Report(PLACE, status, said_at=said_at, **more)


def test_G01_a_report_counts_from_the_time_the_station_gives():
    said_at = NOW - timedelta(minutes=5)

    assert counts_from(said_at, NOW) == said_at


@pytest.mark.parametrize(
    "said_at",
    [
        None,
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
        NOW + timedelta(hours=2),
        NOW - STALE_CLOCK - timedelta(seconds=1),
    ],
    ids=["none", "1970", "year 1", "future", "stale"],
)
def test_a_report_with_an_odd_time_counts_from_its_receipt(said_at):
    assert counts_from(said_at, NOW) == NOW


def test_an_older_report_does_not_overwrite_a_newer_one():
    known = take(None, report("Occupied", NOW - timedelta(minutes=1)), NOW)

    assert take(known, report("Available", NOW - timedelta(minutes=2)), NOW) is None


@pytest.mark.parametrize("later", [-timedelta(days=1), timedelta(), REPLAY])
def test_an_older_report_is_not_taken_while_stations_may_be_sending_what_they_kept(later):
    known = take(None, report("Occupied", NOW), NOW)

    assert take(known, report("Available", NOW - timedelta(hours=1)), NOW + later) is None


def test_the_status_of_a_station_whose_clock_was_set_back_changes_again_after_a_while():
    known = take(None, report("Occupied", NOW), NOW)
    received_at = NOW + REPLAY + timedelta(seconds=1)

    changed = take(known, report("Available", received_at - timedelta(hours=1)), received_at)

    assert changed is not None
    assert changed.report.status == "Available"
    soon = received_at + timedelta(seconds=1)
    assert take(changed, report("Occupied", soon - timedelta(hours=1)), soon) is not None


def test_a_report_of_the_same_second_overwrites_the_one_before_it():
    known = take(None, report("Occupied", NOW), NOW)

    after = take(known, report("Available", NOW), NOW + timedelta(milliseconds=300))

    assert after is not None
    assert after.report.status == "Available"


def test_a_station_whose_clock_runs_ahead_does_not_lock_its_own_status():
    ahead = take(None, report("Occupied", NOW + timedelta(hours=2)), NOW)

    after = take(ahead, report("Available", NOW + timedelta(seconds=1)), NOW + timedelta(seconds=1))

    assert after is not None
    assert after.report.status == "Available"


distances = st.timedeltas(timedelta(days=-90), timedelta(days=90)) | st.timedeltas(-3 * REPLAY, 3 * REPLAY)
times = st.none() | distances.map(lambda apart: NOW + apart)
pauses = st.timedeltas(timedelta(), 2 * REPLAY)


@given(st.lists(st.tuples(st.sampled_from(STATUSES), times, pauses), min_size=1))
def test_what_is_known_goes_back_in_time_only_after_a_while_and_never_lies_in_the_future(reports):
    known, received_at = None, NOW
    for status, said_at, pause in reports:
        received_at += pause
        after = take(known, report(status, said_at), received_at)
        lately = known is not None and received_at - known.received_at <= REPLAY
        if after is not None:
            assert not lately or after.reported_at >= known.reported_at
            assert after.reported_at <= received_at == after.received_at
        assert after is not None or lately
        known = after or known


@given(st.permutations([(status, NOW - timedelta(minutes=n)) for n, status in enumerate(STATUSES)]))
def test_the_newest_report_wins_in_whatever_order_they_arrive(reports):
    known = None
    for status, said_at in reports:
        known = take(known, report(status, said_at), NOW) or known

    assert known is not None
    assert known.report.status == STATUSES[0]


def test_a_repeated_status_is_no_news_and_a_changed_detail_is():
    known = take(None, report("Occupied", NOW, detail="Preparing"), NOW)

    assert not is_news(known, report("Occupied", NOW + timedelta(seconds=1), detail="Preparing"))
    assert is_news(known, report("Occupied", NOW, detail="Charging"))
    assert is_news(known, report("Occupied", NOW, detail="Preparing", error_code="HighTemperature"))
    assert is_news(None, report())


@pytest.mark.parametrize(("evse_id", "connector_id"), [(-1, 1), (1, -1), (2**31, 1), (1, 2**31)])
def test_a_place_that_no_station_can_have_is_refused(evse_id, connector_id):
    with pytest.raises(UnusableReportError):
        connector(evse_id, connector_id)


def test_one_occupied_connector_occupies_its_evse_and_leaves_the_station_available():
    known = {Place(1, 1): "Occupied", Place(1, 2): "Available", Place(2, 1): "Available"}

    assert evse_status(1, known) == "Occupied"
    assert evse_status(2, known) == "Available"
    assert station_status(known) == "Available"


def test_a_fault_of_one_connector_leaves_the_other_of_its_evse_usable():
    assert evse_status(1, {Place(1, 1): "Faulted", Place(1, 2): "Available"}) == "Available"


def test_a_station_or_evse_out_of_service_takes_its_connectors_with_it():
    known = {STATION: "Unavailable", Place(1, 0): "Faulted", Place(1, 1): "Available"}

    assert evse_status(1, known) == "Faulted"
    assert station_status(known) == "Unavailable"


def test_nothing_reported_is_no_status():
    assert evse_status(1, {}) is None
    assert station_status({}) is None
    assert station_status({STATION: "Available"}) == "Available"
