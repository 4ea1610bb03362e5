import json
from datetime import timedelta

import msgspec
import pytest
from chargebus_session.routes import ROUTES
from chargebus_session.tokens.domain import Token, id_token, meant
from chargebus_session.transactions.domain.state import Known, RemoteStart, TransactionState, Use

HOUR = timedelta(hours=1)


@pytest.fixture
def say(frame, answer):
    """Settle one message at a state: `say(state, "StartTransaction", {…})`."""

    def settle(state, action, payload, version="1.6", **more):
        row = ROUTES[version, action]
        return answer(state, row, row.read(frame(version, action, payload, **more)))

    return settle


START = b'{"connectorId":1,"idTag":"good","meterStart":100,"timestamp":"2025-06-01T12:00:00Z"}'
STOP = b'{"transactionId":1001,"meterStop":1500,"timestamp":"2025-06-01T13:00:00Z"}'


def start(id_tag="good", connector=1, at="2025-06-01T12:00:00Z"):
    return b'{"connectorId":%d,"idTag":"%s","meterStart":100,"timestamp":"%s"}' % (
        connector,
        id_tag.encode(),
        at.encode(),
    )


def test_a_transaction_is_started_and_stopped(state, say):
    assert say(state, "StartTransaction", START) == (
        b'{"idTagInfo":{"parentIdTag":"FAMILY","status":"Accepted"},"transactionId":1001}'
    )
    assert say(state, "StopTransaction", STOP) == b"{}"

    summary = state.recorded[-1].summary
    assert (summary.state, summary.energy_wh, summary.stop_reason, summary.billable) == ("ended", 1400, "Local", True)


def test_a_resent_start_gets_the_first_answer_and_no_second_transaction(state, say):
    first = say(state, "StartTransaction", START)

    assert say(state, "StartTransaction", START) == first
    assert len(state.recorded) == 1


def test_a_start_resent_with_another_spelling_of_the_same_moment_is_the_same(state, say):
    first = say(state, "StartTransaction", START)

    assert say(state, "StartTransaction", START.replace(b"12:00:00Z", b"14:00:00.000+02:00")) == first


@pytest.mark.parametrize(
    "change", [(b'"connectorId":1', b'"connectorId":2'), (b"good", b"card"), (b":100,", b":101,"), (b"12:00", b"12:01")]
)
def test_a_start_that_differs_is_another_transaction(state, say, change):
    say(state, "StartTransaction", START)

    assert b'"transactionId":1002' in say(state, "StartTransaction", START.replace(*change))


def test_the_same_start_of_another_station_is_another_transaction(state, say):
    say(state, "StartTransaction", START)

    assert b'"transactionId":1002' in say(state, "StartTransaction", START, station_id="CS2")


def test_a_resent_stop_gets_the_first_answer_and_changes_nothing(state, say):
    say(state, "StartTransaction", START)
    stop = STOP.replace(b'"meterStop"', b'"idTag":"good","meterStop"')
    say(state, "StopTransaction", stop)

    again = say(state, "StopTransaction", stop.replace(b"13:00:00Z", b"15:00:00.0+02:00"))

    assert again == b'{"idTagInfo":{"parentIdTag":"FAMILY","status":"Accepted"}}'
    assert (len(state.changes), state.contradictions) == (2, [])


def test_a_second_stop_that_says_otherwise_changes_nothing_but_is_marked(state, say):
    say(state, "StartTransaction", START)
    say(state, "StopTransaction", STOP.replace(b'"meterStop"', b'"idTag":"good","meterStop"'))

    again = say(state, "StopTransaction", STOP.replace(b"1500", b"9999").replace(b"13:00", b"14:00"))

    assert again == b"{}"
    first, second = state.recorded[1:]
    assert (second.counts, second.summary.flags) == (False, ("clock_implausible", "settled_before"))
    assert msgspec.structs.replace(second.summary, flags=first.summary.flags) == first.summary
    assert [(each.session.transaction_id, each.about) for each in state.contradictions] == [("1001", "time")]


def test_a_second_stop_with_another_meter_value_is_noted(state, say):
    say(state, "StartTransaction", START)
    for wh in (b"1500", b"1500", b"1400"):
        say(state, "StopTransaction", STOP.replace(b"1500", wh))

    assert state.recorded[-1].summary.meter_stop_wh == 1500
    assert [each.about for each in state.contradictions] == ["meter value"]


def test_a_second_stop_whose_time_cannot_be_read_is_the_same(state, say, noon):
    say(state, "StartTransaction", START)
    for minutes in (0, 1):
        say(state, "StopTransaction", STOP.replace(b"2025-06-01T", b"today "), at=noon + timedelta(minutes=minutes))

    assert (state.duplicates, state.contradictions) == (1, [])


NO_CLOCK = [b"0001-01-01T00:00:00Z", b"1970-01-01T00:00:30Z", b"0000-00-00T00:00:00Z"]


@pytest.mark.parametrize("time", NO_CLOCK)
def test_a_start_without_a_clock_that_equals_one_that_ended_is_another_transaction(state, say, time):
    begin = START.replace(b"2025-06-01T12:00:00Z", time).replace(b'"meterStart":100', b'"meterStart":0')
    assert say(state, "StartTransaction", begin) == say(state, "StartTransaction", begin)
    say(state, "StopTransaction", STOP)

    second = say(state, "StartTransaction", begin)
    say(state, "StopTransaction", STOP.replace(b"1001", b"1002").replace(b"1500", b"7000"))

    assert b'"transactionId":1002' in second
    ended = [recorded.summary.energy_wh for recorded in state.recorded if recorded.event.kind == "Ended"]
    assert ended == [1500, 7000]
    assert state.duplicates == 1


@pytest.mark.parametrize("time", NO_CLOCK)
def test_a_start_without_a_clock_is_the_same_where_the_register_rose_since(state, say, time):
    begin = START.replace(b"2025-06-01T12:00:00Z", time)
    first = say(state, "StartTransaction", begin)
    say(state, "StopTransaction", STOP)

    assert say(state, "StartTransaction", begin) == first
    assert len(state.recorded) == 2


def test_a_start_with_a_clock_that_equals_one_that_ended_is_the_same(state, say):
    first = say(state, "StartTransaction", START)
    say(state, "StopTransaction", STOP)

    assert say(state, "StartTransaction", START) == first


@pytest.mark.parametrize(("id_tag", "status"), [("blocked", "Blocked"), ("expired", "Expired"), ("who", "Invalid")])
def test_TC_037_3_a_start_with_an_invalid_tag_is_recorded_but_never_billed(state, say, id_tag, status):
    answer = say(state, "StartTransaction", start(id_tag))

    assert b'"status":"%s"},"transactionId":1001}' % status.encode() in answer
    assert state.recorded[0].summary.billable is False


@pytest.mark.parametrize("transaction_id", [-1, 0, 77])
def test_a_stop_without_a_start_is_recorded_and_answered(state, say, transaction_id):
    stop = STOP.replace(b"1001", b"%d" % transaction_id)

    assert say(state, "StopTransaction", stop) == b"{}"

    summary = state.recorded[0].summary
    assert (summary.state, summary.missing, summary.energy_wh) == ("ended", ("started",), None)
    assert (summary.meter_stop_wh, summary.billable) == (1500, False)


def test_two_transactions_that_never_got_an_id_are_two(state, say):
    stop = STOP.replace(b"1001", b"-1")
    say(state, "StopTransaction", stop)
    say(state, "StopTransaction", stop.replace(b"13:00", b"15:00"))
    say(state, "StopTransaction", stop)

    assert len({recorded.session.session_id for recorded in state.recorded}) == 2
    assert state.duplicates == 1


def test_an_id_that_another_csms_gave_does_not_stand_in_the_way_of_ours(state, say):
    say(state, "StopTransaction", STOP)
    say(state, "StartTransaction", START)
    say(state, "StopTransaction", STOP)

    first, second, third = (recorded.session for recorded in state.recorded)
    assert first.session_id != second.session_id == third.session_id
    assert state.recorded[-1].summary.energy_wh == 1400


def test_a_stop_names_only_a_transaction_of_its_own_station(state, say):
    say(state, "StartTransaction", START)
    say(state, "StopTransaction", STOP, station_id="CS2")

    assert state.recorded[-1].summary.missing == ("started",)


def test_C01_authorize_asks_the_token_only(state, say):
    say(state, "StartTransaction", start("single"))

    assert say(state, "Authorize", b'{"idTag":"single"}') == b'{"idTagInfo":{"status":"Accepted"}}'


NO_ID = STOP.replace(b"1001", b"-1")


@pytest.mark.parametrize("transaction_id", [-1, 0, 77])
@pytest.mark.parametrize("card", [b"", b'"idTag":"GOOD",'])
def test_a_stop_that_lost_its_id_ends_the_one_transaction_that_is_charging(state, say, transaction_id, card):
    stop = STOP.replace(b"1001", b"%d" % transaction_id).replace(b'"meterStop"', card + b'"meterStop"')
    say(state, "StartTransaction", START)
    first = say(state, "StopTransaction", stop)

    assert say(state, "StopTransaction", stop) == first
    assert (len(state.recorded), state.duplicates) == (2, 1)
    assert (state.recorded[-1].session.transaction_id, state.recorded[-1].summary.energy_wh) == ("1001", 1400)
    assert "identity_in_doubt" not in state.recorded[-1].summary.flags


def test_a_stop_that_lost_its_id_ends_the_only_one_of_its_card_among_several(state, say):
    say(state, "StartTransaction", start("card", connector=2))
    say(state, "StartTransaction", START)
    say(state, "StopTransaction", NO_ID.replace(b'"meterStop"', b'"idTag":"good","meterStop"'))

    last = state.recorded[-1]
    assert (last.session.transaction_id, last.summary.energy_wh, last.summary.flags) == (
        "1002",
        1400,
        ("clock_implausible",),
    )


@pytest.mark.parametrize(
    ("others", "stop"),
    [
        ([start("card", connector=2)], NO_ID),
        ([start("good", connector=2)], NO_ID.replace(b'"meterStop"', b'"idTag":"good","meterStop"')),
        ([], NO_ID.replace(b'"meterStop"', b'"idTag":"card","meterStop"')),
        ([], NO_ID.replace(b"T13:00", b"T11:00")),
        ([], NO_ID.replace(b"1500", b"99")),
    ],
)
def test_a_stop_that_lost_its_id_is_marked_where_it_may_be_another_ones(state, say, others, stop):
    for payload in (START, *others):
        say(state, "StartTransaction", payload)
    say(state, "StopTransaction", stop)

    last = state.recorded[-1]
    assert (last.before, last.summary.missing) == (None, ("started",))
    assert "identity_in_doubt" in last.summary.flags


def test_a_single_token_is_refused_while_it_charges_elsewhere(state, say):
    say(state, "StartTransaction", start("single"))

    answer = say(state, "StartTransaction", start("single", at="2025-06-01T12:05:00Z"), station_id="CS2")

    assert b'"status":"ConcurrentTx"' in answer
    assert state.recorded[-1].summary.billable is False


def test_a_single_token_charges_again_after_its_transaction_ended(state, say):
    say(state, "StartTransaction", start("single"))
    say(state, "StopTransaction", STOP)

    assert b"Accepted" in say(state, "StartTransaction", start("single", at="2025-06-01T14:00:00Z"), station_id="CS2")


def test_a_single_token_charges_again_on_the_same_connector_whose_stop_is_late(state, say):
    say(state, "StartTransaction", start("single"))

    assert b"Accepted" in say(state, "StartTransaction", start("single", at="2025-06-01T12:30:00Z"))


def test_a_single_token_is_not_refused_for_what_began_after_it(state, say):
    say(state, "StartTransaction", start("single"))

    late = say(state, "StartTransaction", start("single", at="2025-06-01T09:00:00Z"), station_id="CS2")

    assert b"Accepted" in late


def test_a_single_token_is_refused_for_a_session_that_was_read_from_the_store(issue, tokens, say, noon):
    uses = {"single": [Use("old", "CS9", 1, noon - HOUR)]}
    state = TransactionState(Known(tokens=tokens, uses=uses), issue)

    assert b"ConcurrentTx" in say(state, "StartTransaction", start("single"))


def test_a_single_token_is_not_kept_from_charging_by_a_session_that_refused_it(state, say):
    say(state, "StartTransaction", start("single", at="2025-06-01T11:00:00Z"))
    say(state, "StartTransaction", start("single", at="2025-06-01T11:10:00Z"), station_id="CS2")
    say(state, "StopTransaction", STOP)

    third = say(state, "StartTransaction", start("single", at="2025-06-01T11:20:00Z"), station_id="CS3")

    assert [recorded.summary.billable for recorded in state.recorded] == [True, False, True, True]
    assert b"Accepted" in third


def test_a_station_without_a_clock_is_told_that_a_single_token_charges_elsewhere(state, say):
    say(state, "StartTransaction", start("single"))

    assert b"ConcurrentTx" in say(
        state, "StartTransaction", start("single", at="1970-01-01T00:00:30Z"), station_id="CS2"
    )


def test_what_a_station_without_a_clock_reports_began_when_it_was_received(state, say):
    say(state, "StartTransaction", start("single", at="1970-01-01T00:00:30Z"))

    late = say(state, "StartTransaction", start("single", at="2025-06-01T09:00:00Z"), station_id="CS2")

    assert b"Accepted" in late


@pytest.mark.parametrize(
    ("at", "status", "billable"),
    [
        ("2025-05-30T23:59:59Z", "Accepted", True),
        ("2025-05-31T00:00:00Z", "Expired", False),
        ("1970-01-01T00:00:30Z", "Expired", False),
        ("yesterday", "Expired", False),
    ],
)
def test_a_start_that_comes_late_is_judged_by_when_its_token_expired(state, say, at, status, billable):
    assert b'"status":"%s"' % status.encode() in say(state, "StartTransaction", start("expired", at=at))
    assert state.recorded[0].summary.billable is billable


def test_a_clock_that_is_ahead_does_not_let_a_token_expire(state, say, tokens, noon):
    tokens["good"] = msgspec.structs.replace(tokens["good"], expires_at=noon + timedelta(minutes=10))

    assert b"Accepted" in say(state, "StartTransaction", start(at="2025-06-01T12:20:00Z"))


def test_C01_authorize_compares_the_expiry_with_now(state, say):
    assert say(state, "Authorize", b'{"idTag":"expired"}').endswith(b'"status":"Expired"}}')


def test_a_1_6_start_takes_the_open_remote_start_of_its_connector_and_token(issue, tokens, say, noon):
    open_starts = (RemoteStart(8, "CS1", 2, "good", noon), RemoteStart(9, "CS1", 1, "good", noon))
    state = TransactionState(Known(tokens=tokens, remote_starts=open_starts), issue)
    say(state, "StartTransaction", START)
    say(state, "StartTransaction", start(at="2025-06-01T12:01:00Z"))

    assert [recorded.summary.remote_start_id for recorded in state.recorded] == [9, None]


@pytest.fixture
def asked(issue, tokens, noon):
    """A state with remote starts of one place: 7 from seven minutes before noon, 8 from five, 9 from two."""
    minutes_before = {8: 5, 9: 2, 7: 7}
    remote_starts = tuple(
        RemoteStart(number, "CS1", 1, "good", noon - timedelta(minutes=minutes))
        for number, minutes in minutes_before.items()
    )
    return TransactionState(Known(tokens=tokens, remote_starts=remote_starts), issue)


@pytest.mark.parametrize(
    ("at", "taken"),
    [
        ("2025-06-01T11:58:00Z", 9),
        ("2025-06-01T11:57:01Z", 9),
        ("2025-06-01T11:56:00Z", 8),
        ("2025-06-01T11:50:00Z", None),
        ("1970-01-01T00:00:30Z", 9),
    ],
)
def test_a_1_6_start_takes_the_newest_remote_start_that_was_there_before_it(asked, say, at, taken):
    say(asked, "StartTransaction", start(at=at))

    assert asked.recorded[0].summary.remote_start_id == taken


def event(number, kind, *, trigger="Trigger", more=b""):
    return (
        b'{"eventType":"%s","timestamp":"2025-06-01T12:0%d:00Z","triggerReason":"%s","seqNo":%d,'
        b'"transactionInfo":{"transactionId":"tx"}%s}'
    ) % (kind.encode(), number, trigger.encode(), number, more)


def token(text, type_="ISO14443"):
    return b',"idToken":{"idToken":"%s","type":"%s"}' % (text.encode(), type_.encode())


def test_E13_a_resent_event_gets_the_first_answer_though_the_token_was_blocked_since(tokens, issue, say):
    state = TransactionState(Known(tokens=tokens), issue)
    started = event(0, "Started", more=token("good"))
    first = say(state, "TransactionEvent", started, "2.0.1")
    tokens["good"] = tokens["blocked"]

    assert say(state, "TransactionEvent", started, "2.0.1") == first
    assert b"Accepted" in first


def test_ended_before_started_and_updated_after_ended_are_merged(state, say):
    for number, kind in ((3, "Ended"), (1, "Updated"), (0, "Started")):
        assert say(state, "TransactionEvent", event(number, kind), "2.0.1") == b"{}"

    summary = state.recorded[-1].summary
    assert (summary.state, summary.missing, summary.gaps) == ("ended", (), ((2, 2),))


def test_E02_FR_20_a_token_that_comes_after_the_start_is_billed(state, say):
    say(state, "TransactionEvent", event(0, "Started", trigger="CablePluggedIn"), "2.0.1")
    say(state, "TransactionEvent", event(1, "Updated", trigger="Authorized", more=token("good")), "2.0.1")

    assert state.recorded[0].summary.billable is False
    assert state.recorded[1].summary.billable is True


def test_the_token_that_stops_is_not_the_one_that_is_billed(state, say):
    say(state, "TransactionEvent", event(0, "Started", more=token("good")), "2.0.1")
    answer = say(state, "TransactionEvent", event(1, "Updated", trigger="StopAuthorized", more=token("card")), "2.0.1")

    assert b"Accepted" in answer
    assert state.recorded[-1].summary.token_key == "good"


def test_a_token_that_only_stops_is_never_billed(state, say):
    say(state, "TransactionEvent", event(0, "Started", more=token("blocked")), "2.0.1")
    say(state, "TransactionEvent", event(1, "Ended", trigger="StopAuthorized", more=token("good")), "2.0.1")

    summary = state.recorded[-1].summary
    assert (summary.token_key, summary.token_status, summary.billable) == ("blocked", "Blocked", False)


def test_an_accepted_token_after_a_refused_one_is_billed(state, say):
    say(state, "TransactionEvent", event(0, "Started", more=token("blocked")), "2.0.1")
    say(state, "TransactionEvent", event(1, "Updated", trigger="Authorized", more=token("good")), "2.0.1")

    assert state.recorded[-1].summary.token_key == "good"
    assert state.recorded[-1].summary.billable is True


def test_stopping_with_a_single_token_is_not_concurrent(state, say):
    say(state, "StartTransaction", start("single"), station_id="CS2")
    say(state, "TransactionEvent", event(0, "Started", more=token("good")), "2.0.1")

    answer = say(state, "TransactionEvent", event(1, "Ended", trigger="StopAuthorized", more=token("single")), "2.0.1")

    assert b"Accepted" in answer


def test_plugging_in_first_is_no_way_round_a_single_token(state, say):
    say(state, "StartTransaction", start("single", at="2025-06-01T11:00:00Z"), station_id="CS2")
    say(state, "TransactionEvent", event(0, "Started", trigger="CablePluggedIn"), "2.0.1")

    answer = say(state, "TransactionEvent", event(1, "Updated", trigger="Authorized", more=token("single")), "2.0.1")

    assert b"ConcurrentTx" in answer


def metered(wh, context="Transaction.Begin"):
    return b',"meterValue":[{"timestamp":"2025-06-01T12:00:00Z","sampledValue":[{"value":%d,"context":"%s"}]}]' % (
        wh,
        context.encode(),
    )


def began(wh, id_tag):
    return metered(wh) + token(id_tag)


def ended(wh):
    return metered(wh, "Transaction.End")


def later(payload):
    """Return an event as of six hours later."""
    return payload.replace(b"T12:0", b"T18:0")


def of_each(state):
    """What became of each session: who, how much, and the flags."""
    newest = {change.session.session_id: change.summary for change in state.changes}
    return [(each.token_key, each.energy_wh, each.flags) for each in newest.values()]


@pytest.fixture
def tell(state, say, noon):
    """Settle an event that comes in the evening: `tell(event(0, "Started"))`."""
    return lambda payload: say(state, "TransactionEvent", payload, "2.0.1", at=noon + 8 * HOUR)


REUSED = ("transaction_id_reused",)


@pytest.mark.parametrize("last", [1, 2, 3])
def test_E01_FR_08_a_start_after_an_end_is_another_transaction_whatever_its_number(state, tell, last):
    alice = [event(0, "Started", more=began(0, "good")), event(2, "Ended", more=ended(2000))]
    bob = [event(0, "Started", more=began(2000, "card")), *(event(number, "Updated") for number in range(1, last))]
    bob = list(map(later, [*bob, event(last, "Ended", more=ended(7000))]))
    first = [tell(payload) for payload in (*alice, *bob)]

    assert of_each(state) == [("good", 2000, REUSED), ("card", 5000, REUSED)]
    changed = len(state.changes)
    assert [tell(payload) for payload in (*alice, *bob)] == first
    assert len(state.changes) == changed


def test_a_start_that_finds_another_one_under_its_id_is_another_transaction_though_that_has_no_end(state, tell):
    for payload in (event(0, "Started", more=began(0, "good")), later(event(0, "Started", more=began(2000, "card")))):
        tell(payload)
    tell(event(3, "Ended", more=ended(2000)))
    tell(later(event(3, "Ended", more=ended(7000))))

    assert of_each(state) == [("good", 2000, REUSED), ("card", 5000, REUSED)]


def test_a_clock_that_is_behind_after_a_boot_does_not_mix_two_transactions(state, tell):
    alice = [event(0, "Started", more=began(0, "good")), event(1, "Ended", more=ended(2000))]
    bob = [event(0, "Started", more=began(2000, "card")).replace(b"T12:00", b"T11:00")]
    bob += [event(1, "Updated", more=metered(2500, "Sample.Periodic")), later(event(2, "Ended", more=ended(7000)))]
    for payload in (*alice, *bob):
        tell(payload)

    assert [found[:2] for found in of_each(state)] == [("good", 2000), ("card", 5000)]


def test_two_transactions_that_go_on_at_once_under_one_id_are_told_apart_by_their_evses(state, tell):
    def at_evse(number, payload):
        return payload.replace(b'"seqNo"', b'"evse":{"id":%d},"seqNo"' % number)

    for payload in (
        at_evse(1, event(0, "Started", more=began(0, "good"))),
        at_evse(2, later(event(0, "Started", more=began(2000, "card")))),
        at_evse(1, later(event(0, "Updated", more=metered(1500, "Sample.Periodic")))),
        at_evse(1, later(event(1, "Ended", more=ended(3000)))),
        at_evse(2, later(event(2, "Ended", more=ended(7000)))),
    ):
        tell(payload)

    assert [found[:2] for found in of_each(state)] == [("good", 3000), ("card", 5000)]


def test_an_event_of_an_earlier_transaction_of_the_id_finds_its_place_by_time(state, tell):
    for payload in (
        event(0, "Started", more=began(0, "good")),
        event(3, "Ended", more=ended(2000)),
        later(event(0, "Started", more=began(2000, "card"))),
        event(1, "Updated", more=b',"offline":true'),
        later(event(1, "Updated")),
    ):
        tell(payload)

    assert [recorded.session.session_id for recorded in state.recorded][2:] == ["session-2", "session-1", "session-2"]
    assert state.recorded[3].summary.gaps == ((2, 2),)


@pytest.mark.parametrize("number", [1, 3, 9])
def test_what_comes_long_after_the_end_does_not_count_and_is_marked(state, tell, number):
    tell(event(0, "Started", more=began(0, "good")))
    tell(event(3, "Ended"))
    tell(later(event(number, "Updated", more=metered(9000, "Sample.Periodic"))))

    assert state.recorded[-1].counts is False
    assert state.recorded[-1].summary.meter_stop_wh is None
    assert state.recorded[-1].summary.flags == ("energy_unknown", "identity_in_doubt")


def test_what_comes_right_after_the_end_belongs_to_it(state, tell):
    for number, kind in ((0, "Started"), (3, "Ended"), (4, "Updated")):
        tell(event(number, kind))

    assert state.recorded[-1].summary.flags == ("energy_unknown",)


def test_an_end_from_before_the_start_under_a_number_that_was_there_does_not_end_it(state, tell):
    tell(later(event(0, "Started")))
    tell(event(0, "Ended"))

    assert (state.changes[-1].summary.state, state.changes[-1].summary.flags) == ("active", ("identity_in_doubt",))


@pytest.mark.parametrize(
    ("again", "flags"),
    [
        (event(1, "Ended"), ()),
        (event(1, "Ended", more=b',"offline":true'), ()),
        (later(event(1, "Ended")), ("settled_before",)),
        (later(event(5, "Ended", more=ended(25_750_000))), ("settled_before",)),
        (event(0, "Started", more=b',"offline":true'), ()),
        (event(0, "Started", trigger="Authorized"), ("identity_in_doubt",)),
    ],
)
def test_what_comes_after_an_end_is_the_same_only_if_it_says_the_same(state, tell, again, flags):
    tell(event(0, "Started", more=metered(0)))
    if b"Started" in again:
        again = (
            again.replace(b"}}", b"}" + metered(0) + b"}")
            if b"offline" not in again
            else again[:-1] + metered(0) + b"}"
        )
    tell(event(1, "Ended", more=ended(2000)))
    if b"Ended" in again and b"meterValue" not in again:
        again = again[:-1] + ended(2000) + b"}"
    tell(again)

    assert state.changes[-1].summary.flags == flags
    assert (state.changes[-1].summary.energy_wh, len({change.session.session_id for change in state.changes})) == (
        2000,
        1,
    )


def test_another_event_under_the_same_number_counts_and_is_marked(state, tell):
    tell(event(0, "Started"))
    tell(event(1, "Updated"))
    charging = event(1, "Updated").replace(b'"tx"', b'"tx","chargingState":"Charging"')
    tell(charging)

    assert (len(state.recorded), state.recorded[-1].summary.charging_state) == (3, "Charging")
    assert state.recorded[-1].summary.flags == ("sequence_number_reused",)


def test_members_in_another_order_and_a_moment_written_otherwise_are_the_same_event(state, tell):
    tell(event(0, "Started"))
    again = (
        b'{"transactionInfo":{"transactionId":"tx"},"seqNo":0,"triggerReason":"Trigger","offline":true,'
        b'"timestamp":"2025-06-01T14:00:00.000+02:00","eventType":"Started"}'
    )
    tell(again)

    assert (state.duplicates, len(state.recorded)) == (1, 1)


def test_a_start_without_a_clock_that_equals_one_that_ended_is_another_transaction_of_its_id(state, tell):
    start, end = (
        event(number, kind).replace(b"2025-06-01", b"1970-01-01") for number, kind in ((0, "Started"), (1, "Ended"))
    )
    for payload in (start, start, end, end, start):
        tell(payload)

    assert [(recorded.session.session_id, recorded.event.kind) for recorded in state.recorded] == [
        ("session-1", "Started"),
        ("session-1", "Ended"),
        ("session-2", "Started"),
    ]


def test_a_transaction_that_goes_on_under_2_1_is_the_same_session(state, say):
    say(state, "TransactionEvent", event(0, "Started"), "2.0.1")
    say(state, "TransactionEvent", event(1, "Ended"), "2.1")

    assert len({recorded.session.session_id for recorded in state.recorded}) == 1


WAYS = ["DE8AAC12345678D", "de8aac12345678d", "DE-8AA-C12345678-D", "DE-8AA-C12345678", "DE8AAC12345678"]


def by_contract(emaid, kind="eMAID"):
    return json.dumps(BY_CONTRACT | {"idToken": {"idToken": emaid, "type": kind}}).encode()


BY_CONTRACT = {
    "eventType": "Started",
    "timestamp": "2025-06-01T12:00:00Z",
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "tx"},
    "evse": {"id": 1},
}


@pytest.fixture
def contract(tokens):
    tokens["de-8aa-c12345678-d"] = Token("DE-8AA-C12345678-D", type="eMAID", concurrent=False)
    return tokens


@pytest.mark.parametrize("way", WAYS)
def test_a_contract_that_charges_once_at_a_time_does_so_however_its_emaid_is_written(issue, contract, say, noon, way):
    uses = {"de8aac12345678": [Use("old", "CS9", 1, noon - HOUR)]}
    state = TransactionState(Known(tokens=contract, uses=uses), issue)

    assert b"ConcurrentTx" in say(state, "TransactionEvent", by_contract(way), version="2.0.1")


@pytest.mark.parametrize("first", WAYS)
def test_a_contract_in_use_is_told_to_be_whoever_writes_it_otherwise(issue, contract, say, first):
    state = TransactionState(Known(tokens=contract), issue)
    say(state, "TransactionEvent", by_contract(first), version="2.0.1")

    second = say(state, "TransactionEvent", by_contract("DE8AAC12345678"), version="2.0.1", station_id="CS2")
    third = say(state, "StartTransaction", start("DE-8AA-C12345678-D"), station_id="CS3")

    assert (b"ConcurrentTx" in second, b"ConcurrentTx" in third) == (True, True)
    assert {each.summary.token_key for each in state.recorded} == {"de8aac12345678"}


def test_a_card_that_reads_like_an_emaid_is_itself():
    assert id_token("DE8AAC12345678D", "ISO14443").key != id_token("DE8AAC12345678", "ISO14443").key
    assert id_token("DE8AAC12345678D").key == "de8aac12345678d"


def test_a_contract_that_is_blocked_in_one_spelling_is_blocked(issue, contract, say):
    contract["de8aac12345678"] = Token("DE8AAC12345678", type="eMAID", blocked=True)
    state = TransactionState(Known(tokens=contract), issue)
    for way in WAYS:
        assert b"Blocked" in say(state, "TransactionEvent", by_contract(way), version="2.0.1", station_id=way)


def test_an_operator_means_a_contract_in_any_spelling_and_a_card_as_it_is_written(contract):
    assert meant("DE8AAC12345678", contract) == contract["de-8aa-c12345678-d"]
    contract["de8aac12345678"] = Token("DE8AAC12345678", type="ISO14443")
    assert meant("DE8AAC12345678", contract) == contract["de8aac12345678"]
    assert meant("nobody's", contract) is None
