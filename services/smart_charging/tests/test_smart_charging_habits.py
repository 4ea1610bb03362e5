"""How stations behave: what they say of themselves, what is learned of their kinds, what their answers mean."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_commanding import Outcome
from chargebus_ocppj.schemas import validate_call
from chargebus_smart_charging.sites.domain.site import Evse
from chargebus_smart_charging.sites.domain.told import Told
from chargebus_smart_charging.steering import routes, v16, v21, v201
from chargebus_smart_charging.steering.domain import learning, stations
from chargebus_smart_charging.steering.domain.composite import allowed_a, composite_of
from chargebus_smart_charging.steering.domain.habits import Habits
from chargebus_smart_charging.steering.domain.held import UNLIMITED, Order, Slot
from chargebus_smart_charging.steering.domain.pieces import MessageLimit
from chargebus_smart_charging.steering.domain.profiles import profile_id
from chargebus_smart_charging.steering.domain.reports import ReportedProfile, limit_of
from chargebus_smart_charging.steering.domain.resolving import resolved
from chargebus_smart_charging.steering.domain.said import Said, habits_of, measurands_needed
from chargebus_smart_charging.steering.domain.stations import Answered, Station, folded
from chargebus_smart_charging.steering.domain.steered import (
    Retry,
    Steerable,
    Steered,
    answered,
    booted,
    connected,
    counted_a,
    told,
    transaction_began,
    transaction_ended,
)
from chargebus_smart_charging.steering.domain.stepping import step

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
EVSE = Evse("CS-1", 1, "panel", voltage_v=230.0, phases=(1, 2, 3), min_a=6.0, max_a=32.0)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def key(name: str, value: str, *, readonly: bool = True) -> dict:
    return {"key": name, "value": value, "readonly": readonly}


def variable(component: str, name: str, value: str, **more: object) -> dict:
    evse = more.pop("evse", None)
    return {
        "attributeStatus": "Accepted",
        "attributeValue": value,
        "component": {"name": component} | ({"evse": {"id": evse}} if evse else {}),
        "variable": {"name": name} | ({"instance": more.pop("instance")} if "instance" in more else {}),
        **more,
    }


# What a station says


def test_the_configuration_of_1_6_says_what_a_station_can_take():
    said = v16.said(
        {
            "configurationKey": [
                key("ChargingScheduleAllowedChargingRateUnit", "Current, Power"),
                key("chargingschedulemaxperiods", "24"),
                key("ChargeProfileMaxStackLevel", "8"),
                key("MaxChargingProfilesInstalled", "10"),
                key("ConnectorSwitch3to1PhaseSupported", "true"),
                key("MeterValuesSampledData", "Energy.Active.Import.Register, Current.Import"),
                key("Station-MaxCurrent", "25", readonly=False),
            ],
            "unknownKey": ["OperatorCurrentLimit"],
        },
        ["OperatorCurrentLimit", "Station-MaxCurrent"],
    )

    assert habits_of(said, Habits()) == Habits(
        unit="A", max_periods=24, max_stack_level=8, max_profiles=10, switches_phases=True
    )
    assert said.measurands == ("Energy.Active.Import.Register", "Current.Import")
    assert said.limit_key == "Station-MaxCurrent"
    assert said.told_of(1) == Told(max_a=25.0)


def asked(version: str, most: MessageLimit) -> list[list]:
    """What a station is asked of itself, piece by piece, each of them valid."""
    found = []
    for forms, questions in routes.habits_forms(version, [1, 2], ["Station-MaxCurrent"], most):
        [form] = forms
        validate_call(version, form.action, form.payload)
        [list_of] = msgspec.json.decode(form.payload).values()
        assert (form.versions, len(list_of)) == ((version,), questions)
        found.append(list_of)
    return found


@pytest.mark.parametrize(("version", "questions"), [("1.6", 7), ("2.0.1", 15), ("2.1", 16)])
def test_B06_FR_16_no_more_is_asked_at_once_than_a_station_takes(version, questions):
    [whole] = asked(version, MessageLimit())
    in_fours = asked(version, MessageLimit(4))

    assert len(whole) == questions
    assert [len(piece) for piece in in_fours][:-1] == [4] * ((questions - 1) // 4)
    assert [each for piece in in_fours for each in piece] == whole


def test_B06_FR_17_no_longer_message_is_sent_than_a_station_takes():
    in_pieces = asked("2.0.1", MessageLimit(None, 600))

    assert len(in_pieces) > 1
    assert all(len(msgspec.json.encode({"getVariableData": piece})) < 600 for piece in in_pieces)
    assert len(asked("2.0.1", MessageLimit(None, 1))) == 15, "one question by itself is asked all the same"


def test_nothing_is_asked_in_words_of_no_version():
    assert routes.habits_forms("", [1], [], MessageLimit()) == []


@pytest.mark.parametrize(
    ("said", "most"),
    [
        (v16.limit_said({"configurationKey": [key("GetConfigurationMaxKeys", "5")]}), MessageLimit(5)),
        (v16.limit_said({"configurationKey": [], "unknownKey": ["GetConfigurationMaxKeys"]}), MessageLimit()),
        (
            v201.limit_said(
                {
                    "getVariableResult": [
                        variable("DeviceDataCtrlr", "ItemsPerMessage", "4", instance="GetVariables"),
                        variable("DeviceDataCtrlr", "BytesPerMessage", "0", instance="GetVariables"),
                    ]
                }
            ),
            MessageLimit(4),
        ),
    ],
)
def test_a_station_says_how_much_it_takes_at_once(said, most):
    assert said == most


def test_what_was_asked_before_the_last_time_counts_no_more():
    station = stations.asked(Station("CS-1"), 2, NOW)
    half = stations.answered_piece(station, ({"key": "a"},))

    assert stations.noted(half, station, station).entries == ({"key": "a"},), "nobody asked anew meanwhile"
    assert stations.noted(half, station, stations.asked(station, 3, after(9))).entries == ()


def test_a_station_of_2_1_says_whether_it_takes_dynamic_profiles():
    said = v21.said({"getVariableResult": [variable("SmartChargingCtrlr", "SupportsDynamicProfiles", "true")]})

    assert habits_of(said, Habits()).dynamic is True
    assert habits_of(said, Habits(dynamic=False)).dynamic is False, "its kind has refused them"


def test_a_vendors_key_that_cannot_be_written_is_no_way():
    assert not v16.said({"configurationKey": [key("Station-MaxCurrent", "25")]}, ["Station-MaxCurrent"]).limit_key


def test_only_vendors_keys_that_the_operator_names_are_asked_for_and_taken():
    writable = {"configurationKey": [key("Station-MaxCurrent", "25", readonly=False)]}

    assert "Station-MaxCurrent" in v16.ask_habits(["Station-MaxCurrent"])["key"]
    assert "Station-MaxCurrent" not in v16.ask_habits()["key"]
    assert not v16.said(writable).limit_key
    assert v16.said(writable, ["Station-MaxCurrent"]).limit_key == "Station-MaxCurrent"


def test_the_device_model_says_what_a_station_can_take_and_how_its_evses_are_built():
    said = v201.said(
        {
            "getVariableResult": [
                variable("SmartChargingCtrlr", "RateUnit", "W"),
                variable("SmartChargingCtrlr", "ProfileStackLevel", "4"),
                variable("SmartChargingCtrlr", "PeriodsPerSchedule", "2"),
                variable("SmartChargingCtrlr", "Entries", "5", instance="ChargingProfiles"),
                variable("SmartChargingCtrlr", "ACPhaseSwitchingSupported", "false"),
                variable("SampledDataCtrlr", "TxUpdatedMeasurands", "Power.Active.Import"),
                variable("ChargingStation", "SupplyPhases", "3"),
                variable("EVSE", "Power", "11040", evse=1, attributeType="MaxSet"),
                variable("EVSE", "ACVoltage", "230", evse=1),
                variable("EVSE", "SupplyPhases", "1", evse=2),
                {**variable("EVSE", "ACVoltage", "", evse=2), "attributeStatus": "UnknownVariable"},
            ]
        }
    )

    assert habits_of(said, Habits()) == Habits(
        unit="W", max_stack_level=4, max_periods=2, max_profiles=5, switches_phases=False
    )
    assert said.told_of(1) == Told(230.0, 3, pytest.approx(16.0))
    assert said.told_of(2) == Told(None, 1, None)


@pytest.mark.parametrize("answer", [{}, {"configurationKey": "x"}, {"configurationKey": [3, {"key": 1}]}])
def test_what_cannot_be_read_was_not_said(answer):
    assert habits_of(v16.said(answer), Habits()) == Habits()


@pytest.mark.parametrize(
    "answer", [{}, {"getVariableResult": 1}, {"getVariableResult": [{"attributeStatus": "Accepted"}]}]
)
def test_what_cannot_be_read_of_a_device_model_was_not_said(answer):
    assert habits_of(v201.said(answer), Habits()) == Habits()


@pytest.mark.parametrize(
    ("measurands", "needed"),
    [
        (None, None),
        (("Power.Active.Import",), None),
        (("Current.Import", "Voltage"), None),
        (("Current.Import",), ("Current.Import", "Power.Active.Import")),
        ((), ("Power.Active.Import",)),
        (("x" * 481,), None),
        (("x" * 480,), ("x" * 480, "Power.Active.Import")),
    ],
)
def test_a_station_is_to_sample_power_or_current_and_voltage(measurands, needed):
    assert measurands_needed(Said(measurands=measurands)) == needed


def test_what_an_operator_leaves_out_is_taken_from_the_station_or_else_from_what_is_usual():
    left_out = Evse("CS-1", 1, "panel", max_a=20.0)

    assert resolved(left_out, Told(voltage_v=240.0, phases=1, max_a=32.0)) == Evse(
        "CS-1", 1, "panel", voltage_v=240.0, phases=(1,), min_a=6.0, max_a=20.0, step_a=0.0
    )
    usual = resolved(Evse("CS-1", 1, "panel"), Told())
    assert (usual.voltage_v, usual.phases, usual.max_a) == (230.0, (1, 2, 3), 32.0)


# What is learned


# Whether a default outlives a boot


STEERABLE = Steerable(EVSE, default_a=8.0, version="1.6")


def rebooted(steerable: Steerable = STEERABLE) -> Steered:
    """An EVSE that was given its default, and whose station has booted since; nothing charges there."""
    steered = transaction_ended(connected(Steered(), after(-700)), after(-650))
    for _ in range(2):
        done = step(steered, None, steerable, after(-640))
        steered = done.steered
        for order in done.orders:
            steered = answered(steered, order.number, "accepted", after(-640))
    return transaction_ended(booted(steered, NOW, steerable), after(1))


def checked(steerable: Steerable, answer: str, amperes: float | None) -> Steered:
    """The same, once its station has said what it allows."""
    done = step(rebooted(steerable), None, steerable, after(2))
    assert [order.asking for order in done.orders] == ["verify"]
    told = Answered(done.orders[0].number, answer, after(3), amperes)
    return folded(done.steered, Station("CS-1"), [told], None, steerable)


def asks(steered: Steered, at: float, steerable: Steerable = STEERABLE) -> list[str]:
    return [order.asking for order in step(steered, None, steerable, after(at)).orders]


def test_a_default_that_a_station_still_has_after_a_boot_is_not_given_again():
    steered = checked(STEERABLE, "accepted", 8.0)

    assert (steered.default_kept, steered.default.accepted.limit_a, steered.default.unsure) == (True, 8.0, ())
    assert asks(steered, 4) == []


@pytest.mark.parametrize(
    ("answer", "amperes"), [("accepted", 32.0), ("accepted", 6.0), ("accepted", None), ("refused", None)]
)
def test_a_default_of_which_a_station_does_not_tell_after_a_boot_is_given_again(answer, amperes):
    steered = checked(STEERABLE, answer, amperes)

    assert steered.default_kept is False
    assert asks(steered, 4) == ["default"]


def test_what_is_not_answered_or_tells_nothing_does_not_keep_a_station_from_its_default():
    done = step(rebooted(), None, STEERABLE, after(2))
    busy = transaction_began(done.steered, "T2", after(3))
    known = msgspec.structs.replace(STEERABLE, habits=Habits(keeps_default=False))
    of_all = msgspec.structs.replace(STEERABLE, default_a=32.0)
    of_nearly_all = msgspec.structs.replace(STEERABLE, default_a=31.6)

    assert asks(done.steered, 29) == []
    assert asks(done.steered, 31) == ["default"]
    assert asks(busy, 3) == ["default"]
    assert asks(rebooted(known), 2, known) == ["default"]
    assert asks(rebooted(of_all), 2, of_all) == ["default"]
    assert asks(rebooted(of_nearly_all), 2, of_nearly_all) == ["default"], "what it allows without looks the same"


def test_a_kind_that_keeps_its_default_is_given_it_once_and_is_found_out_where_one_loses_it():
    known = msgspec.structs.replace(STEERABLE, habits=Habits(keeps_default=True))
    done = step(rebooted(known), None, known, after(2))
    assert [order.asking for order in done.orders] == ["verify"], "to see that it is there"

    told = Answered(done.orders[0].number, "accepted", after(3), 32.0)
    lost = folded(done.steered, Station("CS-1"), [told], None, known)

    assert lost.default_kept is False
    assert asks(lost, 4, known) == ["default"]


@pytest.mark.parametrize(
    ("said", "keeps"),
    [([True], None), ([True, True], True), ([False], None), ([False, False], False), ([True, True, False], False)],
)
def test_what_stations_of_a_kind_say_after_boots_is_learned(said, keeps):
    tally = learning.Tally()
    for kept in said:
        tally = learning.default_after_boot(tally, kept=kept)

    assert learning.habits_by(tally).keeps_default is keeps


def test_a_way_that_no_station_of_a_kind_has_taken_is_not_tried_any_more():
    once = learning.answered(learning.Tally(), "TxProfile", 10.0, "unsupported")
    twice = learning.answered(once, "TxProfile", 10.0, "unsupported")

    assert learning.habits_by(once).refused == ()
    assert learning.habits_by(twice).refused == ("TxProfile",)
    assert learning.habits_by(learning.answered(twice, "TxProfile", 10.0, "accepted")).refused == ()


def test_whether_0_is_taken_is_learned():
    refused = learning.Tally()
    for _ in range(2):
        refused = learning.answered(refused, "TxProfile", 0.0, "refused")

    assert learning.habits_by(refused).takes_zero is False
    assert learning.habits_by(learning.answered(refused, "TxProfile", 0.0, "accepted")).takes_zero is True
    assert learning.habits_by(learning.Tally()).takes_zero is None


def test_the_slowest_obedience_is_kept():
    tally = learning.obeyed(learning.obeyed(learning.Tally(), 30.0), 5.0)

    assert learning.habits_by(tally).obeys_within_s == 30.0


# What an answer means


def outcome(name: str = "answered", **more: object) -> Outcome:
    payload = more.pop("payload", None)
    raw = None if payload is None else msgspec.Raw(msgspec.json.encode(payload))
    return Outcome("c1", "CS-1", "order", "", name, NOW, payload=raw, **more)


@pytest.mark.parametrize(
    ("ended", "answer"),
    [
        (outcome(payload={"status": "Accepted"}), "accepted"),
        (outcome(payload={"status": "Rejected"}), "refused"),
        (outcome(payload={"status": "NotSupported"}), "unsupported"),
        (outcome(payload={"status": "Unknown"}), "accepted"),
        (outcome(payload={"status": "Scheduled"}), "accepted"),
        (outcome(payload={"status": "RebootRequired"}), "unknown"),
        (outcome(payload={"status": "accepted!"}, error_code="FormationViolation"), "unknown"),
        (outcome(payload={"status": "Rejected", "x": 1}, error_code="FormationViolation"), "refused"),
        (outcome(payload={"status": "Rejected", "statusInfo": {"reasonCode": "RateLimitExceeded"}}), "limited"),
        (outcome(payload={"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedPurpose"}}), "unsupported"),
        (outcome("refused", error_code="NotSupported"), "unsupported"),
        (outcome("refused", error_code="NotImplemented"), "unsupported"),
        (outcome("refused", error_code="FormationViolation"), "refused"),
        (outcome("refused", error_code="InternalError"), "unknown"),
        (outcome("timed_out"), "unknown"),
        (outcome("undeliverable"), "undelivered"),
        (outcome("expired"), "undelivered"),
    ],
)
def test_what_came_of_a_command_says_whether_a_limit_holds(ended, answer):
    assert routes.answer_of(ended) == answer


def test_a_composite_schedule_is_read_in_every_version():
    of_16 = {
        "status": "Accepted",
        "connectorId": 1,
        "scheduleStart": "2026-05-01T12:00:00Z",
        "chargingSchedule": {
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [
                {"startPeriod": 0, "limit": 11040},
                {"startPeriod": 60, "limit": 3680, "numberPhases": 1},
            ],
        },
    }
    of_201 = {
        "status": "Accepted",
        "schedule": {
            "evseId": 1,
            "duration": 3600,
            "scheduleStart": "2026-05-01T12:00:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
        },
    }

    watts, amperes = composite_of(of_16, NOW), composite_of(of_201, NOW)
    assert watts is not None
    assert amperes is not None
    assert allowed_a(watts, 3, 230.0) == ((NOW, 16.0), (after(60), 16.0))
    assert allowed_a(amperes, 3, 230.0) == ((NOW, 16.0),)


@pytest.mark.parametrize("answer", [{}, {"schedule": 1}, {"schedule": {"chargingSchedulePeriod": [{"limit": "x"}]}}])
def test_a_composite_schedule_that_cannot_be_read_is_none(answer):
    assert composite_of(answer, NOW) is None


# What is known of a station


def test_an_older_connection_does_not_bring_a_station_back_or_take_it_away():
    station = stations.connected(Station("CS-1"), NOW, 7, "2.0.1")

    assert stations.lost(station, after(1), 6) == station
    assert stations.connected(stations.lost(station, after(1), 7), after(2), 6, "1.6").online is False
    assert stations.lost(station, after(1), 7).online is False


def test_a_station_is_asked_what_it_can_take_after_each_boot_and_again_where_it_did_not_say():
    station = stations.connected(Station("CS-1"), NOW, 1, "2.0.1")
    assert stations.is_to_be_asked(station, NOW)
    asked = msgspec.structs.replace(station, asked_at=NOW)

    assert not stations.is_to_be_asked(asked, after(600))
    assert stations.is_to_be_asked(asked, after(3600))
    said = msgspec.structs.replace(asked, said_at=after(1))
    assert not stations.is_to_be_asked(said, after(36000))
    assert stations.is_to_be_asked(stations.booted(said, after(50), "2.0.1", ("V", "M", "1")), after(51))


def test_a_station_is_to_report_its_profiles_after_it_was_given_a_default_and_now_and_then():
    station = stations.connected(Station("CS-1"), NOW, 1, "2.0.1")
    given = msgspec.structs.replace(Steered(), default=Slot(accepted=Order(1, "default", after(5))))

    assert not stations.is_to_report(station, [given, Steered()], after(6))
    assert stations.is_to_report(station, [given], after(6))
    asked = msgspec.structs.replace(station, profiles_asked_at=after(6))
    assert not stations.is_to_report(asked, [given], after(7))
    assert stations.is_to_report(asked, [given], after(6 * 3600 + 6))
    again = msgspec.structs.replace(given, default=Slot(accepted=Order(2, "default", after(60))))
    assert stations.is_to_report(asked, [again], after(61))


def test_a_station_that_does_not_take_a_default_reports_all_the_same():
    station = stations.connected(Station("CS-1"), NOW, 1, "2.0.1")

    assert stations.is_to_report(station, [msgspec.structs.replace(Steered(), default_retry=Retry(1))], NOW)


def test_a_default_in_watts_is_compared_in_amperes():
    schedule = {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5520.0}]}
    profile = {"chargingSchedule": [schedule]}
    ours = ReportedProfile("CS-1", 7, 1, profile_id(1, "default"), "CSO", "TxDefaultProfile", 0, profile, NOW)
    others = ReportedProfile("CS-1", 7, 2, 3, "EMS", "TxDefaultProfile", 0, profile, NOW)
    station = stations.reported(msgspec.structs.replace(Station("CS-1"), profiles_asked_at=NOW), [ours, others])

    assert {evse_id: limit.amperes(Steerable(EVSE)) for evse_id, limit in station.defaults.items()} == {1: 8.0}
    assert station.reported_at == NOW


def test_a_profile_that_cannot_be_read_bounds_nothing():
    assert limit_of({"chargingSchedule": [{"chargingSchedulePeriod": [{"limit": "x"}]}]}).limit == UNLIMITED


def test_a_station_that_is_told_too_often_is_told_less_often_and_less_again():
    slow = stations.slowed(Station("CS-1"))

    assert slow.update_spacing_s == 60
    assert stations.slowed(slow).update_spacing_s == 120


def test_what_became_known_since_comes_into_the_steering_of_an_evse():
    steerable = Steerable(EVSE)
    station = stations.connected(Station("CS-1"), NOW, 1, "2.0.1")
    default = Order(1, "default", NOW, "TxDefaultProfile", ((NOW, 8.0),))
    before = told(folded(Steered(), station, (), None, steerable), default, steerable)

    known = folded(before, station, [Answered(1, "accepted", after(1))], after(2), steerable)

    assert (known.online, known.use) == (True, "idle")
    assert counted_a(known, steerable, after(3)) == 0
    offline = folded(known, stations.lost(station, after(10), 1), (), None, steerable)
    assert counted_a(offline, steerable, after(11)) == 8
    booted = folded(known, stations.booted(station, after(20), "2.0.1", ("", "", "")), (), None, steerable)
    assert booted.default.accepted is None


def test_an_evse_that_charges_is_not_free_because_its_station_said_so_before():
    charging = msgspec.structs.replace(Steered(), use="busy", use_at=NOW, transaction_id="T1")

    assert folded(charging, Station("CS-1"), (), after(1), Steerable(EVSE)).use == "busy"
