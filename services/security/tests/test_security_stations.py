"""What is known of a station comes together of what is told of it, whatever comes late."""

from datetime import UTC, datetime, timedelta

import pytest
from chargebus_security.stations import domain
from chargebus_security.stations.domain import Description, Make, Station
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OLD, NEW = Make("Acme", "One", "1", "1.0"), Make("Acme", "One", "1", "2.0")
EMPTY = Station("CS-1")


def at(minutes):
    return NOW + timedelta(minutes=minutes)


CHANGES = [
    lambda s: domain.booted(s, at(0), OLD, "1.6"),
    lambda s: domain.booted(s, at(9), NEW, "1.6"),
    lambda s: domain.described(s, at(0), Description("old", {"site": "depot"})),
    lambda s: domain.described(s, at(5), Description("new", {"site": "port"})),
    lambda s: domain.connected(s, at(0), 7, "1.6"),
    lambda s: domain.lost(s, at(2), 7),
    lambda s: domain.connected(s, at(3), 9, "1.6"),
]


@given(st.permutations(CHANGES))
def test_in_whatever_order_it_is_told_the_newest_of_each_counts(changes):
    station = EMPTY
    for change in changes:
        station = change(station)

    assert station.make == NEW
    assert station.described == Description("new", {"site": "port"})
    assert station.online
    assert station.connected_at == at(3)


def test_a_connection_that_was_lost_is_not_there_again_by_its_own_begin():
    lost = domain.lost(domain.connected(EMPTY, at(0), 7, "2.1"), at(1), 7)

    assert not lost.online
    assert lost.ocpp_version == "2.1"
    assert not domain.lost(EMPTY, at(1), 7).online


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_told_twice_is_told_once(change):
    once = change(EMPTY)

    assert change(once) == once


def test_a_station_that_boots_at_three_connections_in_a_row_does_so_at_each_until_one_is_without():
    station, habits = EMPTY, []
    for number, boots in enumerate((True, False, True, True, True, True, False)):
        station = domain.connected(station, at(10 * number), number, "1.6")
        if boots:
            station = domain.booted(station, at(10 * number + 1), OLD, "1.6")
        habits.append(station.boots_always)
        station = domain.lost(station, at(10 * number + 5), number)
    assert habits == [False, False, False, False, True, True, True]
    assert not domain.connected(station, at(90), 9, "1.6").boots_always
