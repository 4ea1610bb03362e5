"""Series of the grid: which are refused, what is known by all that was told, and how it is laid over the time ahead."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from chargebus_events.public import GridSeries
from chargebus_smart_charging.series.domain.series import Series, objections
from chargebus_smart_charging.series.domain.timeline import holes, known_until, laid, per_kwh, timeline, zones_of
from chargebus_smart_charging.series.payload import series_event, series_of
from chargebus_smart_charging.sites.domain.bound import Horizon
from chargebus_smart_charging.sites.domain.site import Node, Site
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTERS = Horizon(NOW, (900.0,) * 8)


def price(*values: float | None, starts_at=NOW, told_at=NOW, resolution_s=3600, unit="EUR/kWh", **more) -> Series:
    return Series("NL", "price", "market", unit, told_at, starts_at, resolution_s, values, **more)


def known(*series: Series):
    return timeline([value for each in series for value in each.told()], NOW)


@pytest.mark.parametrize(
    ("refused", "where"),
    [
        (price(0.2, starts_at=NOW - HOUR), "starts_at"),
        (price(0.2, valid_until=NOW), "valid_until"),
        (price(), "values"),
        (price(None), "values"),
        (price(0.2, resolution_s=0), "resolution_s"),
        (price(*[0.2] * 3001), "values"),
        (price(0.2, unit="g/kWh"), "unit"),
        (price(0.2, unit="EUR"), "unit"),
        (price(0.2, starts_at=datetime(9999, 12, 31, 23, 59, tzinfo=UTC)), "values"),
        (Series("NL", "co2", "grid", "EUR/kWh", NOW, NOW, 3600, (1.0,)), "unit"),
        (Series("NL", "co2", "grid", "g/kWh", NOW, NOW, 3600, (-1.0,)), "values"),
        (Series("NL", "demand", "grid", "share", NOW, NOW, 3600, (1.5,)), "values"),
        (Series("NL", "demand", "grid", "MW", NOW, NOW, 3600, (0.5,)), "unit"),
        (Series("", "demand", "grid", "share", NOW, NOW, 3600, (0.5,)), "zone"),
    ],
)
def test_a_series_that_is_over_or_says_what_cannot_be_is_refused(refused, where):
    assert where in [objection.where for objection in objections(refused, NOW)]


def test_a_series_that_began_in_the_past_and_is_not_over_is_taken():
    assert objections(price(0.2, 0.3, starts_at=NOW - HOUR), NOW) == []
    assert objections(price(-0.05), NOW) == []


def test_what_was_told_last_counts_where_both_tell_and_the_rest_stays():
    hours = price(1.0, 2.0)
    quarter = price(9.0, starts_at=NOW + timedelta(minutes=15), told_at=NOW + HOUR, resolution_s=900)

    assert laid(known(hours, quarter), QUARTERS) == (1.0, 9.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0)
    assert laid(known(quarter, hours), QUARTERS) == (1.0, 9.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0)


def test_a_hole_is_known_as_one_and_takes_nothing_back():
    spans = known(price(1.0, None, 3.0))

    assert laid(spans, QUARTERS) == (1.0,) * 4 + (None,) * 4
    assert holes(spans, NOW) == [(NOW + HOUR, NOW + 2 * HOUR)]
    assert known_until(spans, NOW) == NOW + HOUR
    assert laid(known(price(1.0, 2.0), price(None, 5.0, told_at=NOW + HOUR)), QUARTERS) == (1.0,) * 4 + (5.0,) * 4


def test_a_late_series_is_known_as_late():
    spans = known(price(1.0, starts_at=NOW + HOUR))

    assert known_until(spans, NOW) is None
    assert holes(spans, NOW) == [(NOW, NOW + HOUR)]


def test_what_is_not_valid_any_more_counts_nowhere():
    assert known(price(1.0, 1.0, valid_until=NOW)) == ()


def test_an_interval_gets_the_mean_of_what_is_known_of_it():
    spans = known(price(1.0, 2.0, resolution_s=900))
    assert laid(spans, Horizon(NOW, (600.0, 600.0, 1200.0, 60.0))) == (
        1.0,
        pytest.approx(1.5),
        pytest.approx(2.0),
        None,
    )


def test_a_price_for_a_megawatt_hour_is_that_of_a_thousand_kilowatt_hours():
    assert laid(known(price(120.0, unit="EUR/MWh")), Horizon(NOW, (900.0,))) == (0.12,)


def test_a_site_has_its_own_series_before_that_of_its_zone():
    site = Site("S", "", (Node("grid", None),), (), zone="NL")
    own, shared = known(price(1.0)), known(price(5.0, 6.0))
    horizon = Horizon(NOW, (3600.0, 3600.0))

    assert zones_of(site) == ("S", "NL")
    assert per_kwh(site, {"S": own, "NL": shared}, horizon) == (1.0, 6.0)
    assert per_kwh(site, {}, horizon) == (None, None)


def test_what_the_topic_tells_is_read_back_from_what_it_is_told():
    series = price(0.1, None, -0.2, valid_until=NOW + HOUR)
    told = msgspec.json.decode(series_event(series, NOW).value, type=GridSeries)

    assert series_of(told, NOW) == series


SERIES = st.builds(
    lambda start, resolution, values, told: price(
        *values, starts_at=NOW + start * timedelta(minutes=5), told_at=NOW + told * HOUR, resolution_s=resolution * 300
    ),
    st.integers(-10, 20),
    st.integers(1, 12),
    st.lists(st.none() | st.integers(0, 9).map(float), min_size=1, max_size=6),
    st.integers(0, 3),
)


@given(st.lists(SERIES, max_size=4, unique_by=lambda series: series.told_at))
def test_each_moment_has_what_was_told_of_it_last(told):
    spans = known(*told)
    assert all(one.ends_at <= other.starts_at for one, other in pairwise(spans))
    for minutes in range(0, 200, 5):
        begin = NOW + timedelta(minutes=minutes)
        said = [
            value.value
            for series in sorted(told, key=lambda series: series.told_at)
            for value in series.told()
            if value.starts_at <= begin < value.ends_at
        ]
        (found,) = laid(spans, Horizon(begin, (300.0,)))
        assert found == (said[-1] if said else None)
