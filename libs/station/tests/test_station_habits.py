"""What habits of stations in the field make of their messages."""

import pytest
from chargebus_station.habits import Habit, written

AT = "2024-05-01T12:00:00Z"
START = {"connectorId": 1, "idTag": "ALICE", "meterStart": 7, "timestamp": AT}


@pytest.mark.parametrize(
    ("habit", "action", "payload", "becomes"),
    [
        (Habit.ZONELESS_TIMES, "StartTransaction", START, {"timestamp": AT[:-1]}),
        (
            Habit.ZONELESS_TIMES,
            "MeterValues",
            {"meterValue": [{"timestamp": AT, "sampledValue": [{"value": "Z"}]}]},
            {"meterValue": [{"timestamp": AT[:-1], "sampledValue": [{"value": "Z"}]}]},
        ),
        (Habit.EXTRA_MEMBERS, "StartTransaction", START, {"vendorNote": "ok"}),
        (Habit.EXTRA_MEMBERS, "Heartbeat", {}, {}),
        (Habit.LONG_TOKENS, "StartTransaction", START, {"idTag": "ALICE" + 16 * " "}),
        (
            Habit.LONG_SERIAL_NUMBER,
            "BootNotification",
            {"chargePointSerialNumber": "SIM-03"},
            {"chargePointSerialNumber": f"{'SIM-03':0>26}"},
        ),
        (Habit.LONG_SERIAL_NUMBER, "BootNotification", {"reason": "PowerUp"}, {}),
    ],
)
def test_a_habit_changes_what_it_is_about(habit, action, payload, becomes):
    assert written(action, payload, {habit}) == payload | becomes


def test_a_station_without_habits_writes_as_it_should():
    assert written("StartTransaction", START, ()) == START


def test_habits_come_together():
    both = written("StartTransaction", START, set(Habit))

    assert (both["timestamp"], both["vendorNote"], len(both["idTag"])) == (AT[:-1], "ok", 21)
