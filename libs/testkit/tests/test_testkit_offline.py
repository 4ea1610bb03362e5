"""The reference objects to whatever is not what a station did, and a life is the same each time."""

from datetime import UTC, datetime

import pytest
from chargebus_testkit.offline.lives import MAKES, Make, life
from chargebus_testkit.offline.reference import objections
from chargebus_testkit.offline.telling import queue

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
SOUND = life("S", Make("2.0.1"), 8, NOON)


def right():
    """What a system must make of the life of a station without a fault."""
    return [
        {
            "station_id": "S",
            "transaction_id": f"S/{charge.number}",
            "evse_id": charge.evse_id,
            "id_token": charge.driver,
            "billable": True,
            "state": "ended",
            "meter_start_wh": float(charge.begun.wh),
            "meter_stop_wh": float(charge.last.wh),
            "energy_wh": float(charge.last.wh - charge.begun.wh),
            "flags": [],
        }
        for charge in SOUND.charges
    ]


def test_what_a_station_did_is_right():
    assert objections([SOUND], right()) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"id_token": "SOMEBODY"},
        {"billable": False},
        {"state": "active", "energy_wh": None},
        {"energy_wh": 1.0},
        {"energy_wh": None},
        {"meter_stop_wh": 1.0},
        {"flags": ["clock_implausible"]},
        {"meter_start_wh": 1.0},
        {"evse_id": 9},
    ],
    ids=str,
)
def test_one_wrong_session_is_objected_to(changed):
    sessions = right()
    sessions[3] |= changed

    assert objections([SOUND], sessions)


def test_a_lost_session_and_one_too_many_are_objected_to():
    assert objections([SOUND], right()[1:])
    assert objections([SOUND], [*right(), right()[0]])


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_a_life_is_the_same_each_time_and_over_by_now(make):
    lived = life("S", make, 20, NOON)

    assert lived == life("S", make, 20, NOON)
    assert len(lived.charges) == 20
    assert all(charge.last.at < NOON for charge in lived.charges)
    assert [told.happening.at for told in queue(lived)] == sorted(told.happening.at for told in queue(lived))


def test_clocks_start_in_1970_and_ids_at_1():
    told = queue(life("S", MAKES["poor-201"], 40, NOON))

    assert {each.at.year for each in told} == {1970, 2025}
    assert sum(each.transaction_id == "1" and each.happening.kind == "Started" for each in told) > 3
