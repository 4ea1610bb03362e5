"""Variables: their places and names, what may be set, reports in parts, requests in pieces."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from chargebus_device.variables import v16, v201
from chargebus_device.variables.domain.addresses import Address, resolve
from chargebus_device.variables.domain.checks import objection, same
from chargebus_device.variables.domain.names import NAMES, breaks_connections, named
from chargebus_device.variables.domain.place import Place
from chargebus_device.variables.domain.report import Part, Parts
from chargebus_device.variables.domain.request import (
    Item,
    Limits,
    Request,
    answered,
    answers,
    asked,
    not_answered,
    overdue,
    piece_of,
    poorer,
    remaining,
    reporting,
    told_all,
    with_part,
)
from chargebus_device.variables.domain.variable import Reported, without_secret
from chargebus_device.variables.routes import WORDS
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PLACE = Place("OCPPCommCtrlr", variable="HeartbeatInterval")
PASSWORD = Place("SecurityCtrlr", variable="BasicAuthPassword")


def request(kind="named", items=(), **more):
    values = {
        "request_id": UUID(int=1),
        "station_id": "CS-1",
        "kind": kind,
        "origin": "operator",
        "items": items,
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=5),
    }
    return Request(**(values | more))


def items(count):
    return tuple(Item(Place(variable=f"Key{number}")) for number in range(count))


def part(seq_no, *, is_last=False, variables=()):
    return Part("CS-1", 7, seq_no, is_last, variables)


# Names and places


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.key)
def test_one_name_addresses_a_key_of_16_and_a_variable_of_2x(name):
    for address in (Address(name.key), Address(name.path.upper()), Address(place=name.place)):
        assert resolve(address, v16.own) == Place(variable=name.key)
    assert resolve(Address(name.key.lower()), v201.own) == name.place


def test_names_are_unique_in_either_version():
    assert len({name.key.casefold() for name in NAMES}) == len({name.place.key for name in NAMES}) == len(NAMES)


def test_what_a_version_has_no_word_for_has_no_place_there():
    assert resolve(Address("AcmeLight"), v16.own) == Place(variable="AcmeLight")
    assert resolve(Address("AcmeLight"), v201.own) is None
    assert resolve(Address(place=Place("EVSE", evse_id=1, variable="Power")), v16.own) is None
    assert resolve(Address(place=msgspec.structs.replace(PLACE, attribute="MaxSet")), v16.own) is None


def test_places_are_the_same_however_they_are_spelt():
    assert PLACE.key == Place("ocppcommctrlr", variable="HEARTBEATINTERVAL").key
    assert PLACE.key != msgspec.structs.replace(PLACE, attribute="Target").key


def test_what_holds_the_socket_breaks_connections():
    breaking = {name.key for name in NAMES if breaks_connections(name.place)}
    assert breaking == {"SecurityProfile", "WebSocketPingInterval"}
    assert breaks_connections(Place("OCPPCommCtrlr", variable="NetworkConfigurationPriority"))
    assert breaks_connections(Place(variable="websocketpinginterval"))
    assert not breaks_connections(PLACE)
    assert named("HeartbeatInterval").breaks_connections is False


# What may be set


@pytest.mark.parametrize(
    ("value", "characteristics", "kind"),
    [
        ("60", {"data_type": "integer", "min_limit": 10, "max_limit": 60}, None),
        ("9", {"data_type": "integer", "min_limit": 10}, "value"),
        ("61", {"data_type": "integer", "max_limit": 60}, "value"),
        ("1.5", {"data_type": "integer"}, "value"),
        ("1.5", {"data_type": "decimal"}, None),
        ("nan", {"data_type": "decimal"}, "value"),
        ("True", {"data_type": "boolean"}, None),
        ("yes", {"data_type": "boolean"}, "value"),
        ("B", {"data_type": "OptionList", "values_list": "A, B"}, None),
        ("C", {"data_type": "OptionList", "values_list": "A,B"}, "value"),
        ("B,A", {"data_type": "MemberList", "values_list": "A,B"}, None),
        ("A,C", {"data_type": "MemberList", "values_list": "A,B"}, "value"),
        ("abcd", {"data_type": "string", "max_limit": 3}, "value"),
        ("2026-05-01T12:00:00Z", {"data_type": "dateTime"}, None),
        ("noon", {"data_type": "dateTime"}, "value"),
        ("60", {"mutability": "ReadOnly"}, "read_only"),
        ("60", {"is_known": False}, "unknown"),
        ("60", {"mutability": "WriteOnly"}, "secret"),
    ],
)
def test_a_value_is_checked_by_what_the_station_said(value, characteristics, kind):
    known = Reported(place=Place("Acme", variable="Setting"), **characteristics)
    found = objection(known.place, value, known, is_read=True)
    assert (found and found.kind) == kind


def test_what_a_station_did_not_tell_it_does_not_have_once_it_has_told_all():
    assert objection(PLACE, "60", None, is_read=True).kind == "unknown"
    assert objection(PLACE, "60", None, is_read=False) is None
    assert objection(PLACE, "an hour", None, is_read=False).kind == "value"


@pytest.mark.parametrize("place", [Place(variable="AuthorizationKey"), PASSWORD, Place(variable="AcmeWifiKey")])
def test_a_secret_is_neither_set_here_nor_kept(place):
    assert objection(place, "x", None, is_read=False).kind == "secret"
    assert without_secret(Reported(place=place, value="x")).value is None


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("ftp://u:pw@host/x", "ftp://***@host/x"),
        ("https://host/x?sig=abc", "https://host/x?***"),
        ("-----BEGIN PRIVATE KEY-----\nMII", None),
        ("***", None),
        ("ftp://***@host/x", "ftp://***@host/x"),
        ("wss://host/ocpp", "wss://host/ocpp"),
    ],
)
def test_a_secret_in_a_value_is_neither_set_here_nor_kept(value, kept):
    place = Place(variable="DiagnosticsURL")
    assert without_secret(Reported(place=place, value=value)).value == kept
    found = objection(place, value, Reported(place=place), is_read=True)
    assert (found is not None and found.kind == "secret") == (value not in (kept, "***"))


@pytest.mark.parametrize(
    ("one", "other", "data_type", "is_same"),
    [
        ("60", "60.0", "decimal", True),
        ("060", "60", "integer", True),
        ("TRUE", "true", "boolean", True),
        ("A,B", "B, A", "MemberList", True),
        ("A,B", "B,A", "SequenceList", False),
        ("a", "A", "string", False),
        (None, "", "string", False),
    ],
)
def test_values_are_the_same_by_what_they_mean(one, other, data_type, is_same):
    assert same(one, other, data_type) is is_same


# Reports in parts


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_a_report_is_whole_once_all_parts_are_here_in_any_order_and_however_often(order, repeated):
    parts = Parts()
    for number in (*order[:-1], *(each for each in repeated if each != order[-1])):
        parts = parts.having(part(number, is_last=number == 5))
        assert not parts.is_whole
    assert parts.having(part(order[-1], is_last=order[-1] == 5)).is_whole


def test_B07_FR_08_a_report_without_its_last_or_a_middle_part_is_not_whole():
    assert Parts().having(part(0)).having(part(2, is_last=True)).missing == [1]
    assert Parts().having(part(0)).having(part(1)).lack == "the last part did not come"
    assert Parts().having(part(-1)).having(part(10**9)) == Parts()


def test_parts_may_come_before_the_answer_that_announces_them():
    whole = part(0, is_last=True, variables=(Reported(place=PLACE),))
    early = with_part(asked(request("all", report_id=7), (), NOW), whole, NOW)
    assert early.state == "asked"
    assert reporting(early, NOW).result == "complete"


@pytest.mark.parametrize(
    ("variables", "unread", "result"),
    [((Reported(place=PLACE),), 0, "complete"), ((Reported(place=PLACE),), 1, "incomplete"), ((), 0, "incomplete")],
)
def test_a_report_of_all_is_complete_only_if_it_tells_something_and_all_of_it_is_read(variables, unread, result):
    waiting = reporting(asked(request("all", report_id=7), (), NOW), NOW)
    told = msgspec.structs.replace(part(0, is_last=True, variables=variables), unread=unread)
    assert with_part(waiting, told, NOW).result == result


def test_half_a_report_is_incomplete_and_none_failed():
    waiting = reporting(asked(request("all", report_id=7), (), NOW), NOW)
    assert overdue(waiting, NOW).result == "failed"
    half = with_part(waiting, part(0), NOW)
    assert (overdue(half, NOW).result, overdue(half, NOW).detail) == ("incomplete", "the last part did not come")
    assert with_part(overdue(half, NOW), part(1, is_last=True), NOW).result == "incomplete"


def test_B07_FR_02_a_station_without_full_inventory_is_asked_for_the_configuration():
    assert poorer(request("all")).base == "ConfigurationInventory"
    assert poorer(poorer(request("all"))) is None


# Requests in pieces


@given(st.integers(1, 40), st.integers(1, 12), st.lists(st.integers(1, 50), min_size=40, max_size=40))
def test_pieces_are_no_larger_than_a_station_takes_and_leave_nothing_out(count, most, sizes):
    left, seen = request(items=items(count)), []
    while left.state != "ended":
        piece = piece_of(left, Limits(most, 100), sizes)
        assert 0 < len(piece) <= most
        assert sum(sizes[number] for number in piece) <= 100
        seen.extend(piece)
        left = answered(asked(left, piece, NOW), dict.fromkeys(piece, ("Accepted", "")), NOW)
    assert seen == list(range(count))
    assert left.result == "complete"


def test_a_piece_that_is_too_much_is_halved_and_a_single_one_refused():
    whole = asked(request(items=items(4)), (0, 1, 2, 3), NOW)
    half = not_answered(whole, "too_much", "too many", NOW)
    assert (half.state, piece_of(half, Limits(), [1] * 4)) == ("waiting", (0, 1))
    one = not_answered(asked(request(items=items(1)), (0,), NOW), "too_much", "no", NOW)
    assert (one.result, one.items[0].status) == ("incomplete", "Refused")


@pytest.mark.parametrize("told", ["too_much", "refused", "unknown", "unsupported"])
def test_a_report_on_components_that_is_refused_fails_and_is_not_asked_again(told):
    sent = asked(request("report", (Item(Place("EVSE")),), report_id=7), (), NOW)
    after = not_answered(sent, told, "no", NOW)
    assert (after.state, after.result, after.detail) == ("ended", "failed", "no")


def test_a_station_that_is_away_is_waited_for_until_the_time_is_over():
    sent = asked(request("change", items(1)), (0,), NOW)
    assert not_answered(sent, "away", "", NOW).state == "waiting"
    late = not_answered(sent, "away", "gone", NOW + timedelta(minutes=6))
    assert (late.result, late.items[0].status) == ("failed", "Unreachable")


def test_what_nobody_knows_of_and_what_the_answer_leaves_out_is_told():
    sent = asked(request("change", items(2)), (0, 1), NOW)
    assert [item.status for item in not_answered(sent, "unknown", "", NOW).items] == ["Unknown", "Unknown"]
    half = answered(sent, {0: ("RebootRequired", "")}, NOW)
    assert (half.result, [item.status for item in half.items]) == ("incomplete", ["RebootRequired", "NoAnswer"])


def test_keys_that_a_station_of_16_kept_back_are_asked_for():
    told = [Place(variable=f"Key{number}") for number in range(5)]
    more = remaining(request("all"), told, [*told, Place(variable="Late")], 5)
    assert [item.place.variable for item in more.items] == ["Late"]
    assert remaining(request("all"), told, [Place(variable="Late")], 50) is None
    assert remaining(request("all"), told, [Place(variable="Late")], None) is None


# What stations say


def test_keys_of_16_are_read_whatever_else_the_answer_holds():
    said = v16.told(
        {
            "configurationKey": [
                {"key": "A", "readonly": True, "value": "1"},
                {"key": "B", "readonly": False},
                {"key": 7},
            ],
            "unknownKey": ["C", None],
        }
    )
    assert [(each.place.variable, each.value, each.mutability, each.is_known) for each, _ in said] == [
        ("A", "1", "ReadOnly", True),
        ("B", None, "ReadWrite", True),
        ("C", None, None, False),
    ]
    assert v16.told({"configurationKey": "all"}) == []


@pytest.mark.parametrize(
    ("members", "unread"),
    [
        ({"configurationKey": [{"key": "A"}, {"key": 7}], "unknownKey": ["B"]}, 1),
        ({"configurationKey": "all"}, 1),
        ({"configurationKey": None}, 0),
        ({}, 0),
    ],
)
def test_what_cannot_be_read_of_keys_is_counted(members, unread):
    assert v16.unread(members) == unread


def test_a_station_of_16_that_says_nothing_keeps_what_it_told_before():
    assert told_all(request("all"), NOW).result == "incomplete"
    assert told_all(request("all", read=1), NOW).result == "complete"


def test_results_of_2x_are_read_by_their_places():
    component = {"name": "Connector", "evse": {"id": 1, "connectorId": 2}}
    variable = {"name": "Kind", "instance": "x"}
    result = {"component": component, "variable": variable, "attributeStatus": "Accepted", "attributeValue": "9"}
    [(reported, status)] = v201.told({"getVariableResult": [result, {"variable": variable}, 5]})
    assert (reported.place.text, reported.value, status) == ("Connector@1.2/Kind[x]", "9", "Accepted")
    info = {"reasonCode": "No", "additionalInfo": "why"}
    refused = result | {"attributeStatus": "Rejected", "attributeStatusInfo": info}
    assert v201.changed({"setVariableResult": [refused]}, ()) == [(reported.place, "Rejected", "No: why")]


def test_of_an_answer_counts_what_was_asked():
    asked_of = asked(request(items=items(2)), (1,), NOW)
    said = [(Reported(place=Place(variable=name)), "Accepted") for name in ("KEY1", "Key0", "Other")]
    assert [each.place.variable for each, _ in answers(asked_of, said)] == ["KEY1"]
    assert answers(request("all"), said) == said


@pytest.mark.parametrize(("version", "longest"), [("1.6", 500), ("2.0.1", 1000), ("2.1", 2500)])
def test_how_long_a_value_may_be_is_by_version(version, longest):
    assert WORDS[version].longest[version] == longest


def test_what_is_asked_names_the_place_again():
    place = Place("Connector", "left", 1, 2, "Kind", "x", "MaxSet")
    payload = v201.get([Item(place)])["getVariableData"][0]
    result = payload | {"attributeStatus": "Accepted", "attributeValue": "1"}
    [(reported, _)] = v201.told({"getVariableResult": [result]})
    assert reported.place == place
    assert WORDS["2.0.1"] is WORDS["2.1"]
