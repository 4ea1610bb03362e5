from datetime import UTC, datetime, timedelta

import msgspec
from chargebus_session.tokens.domain import Token, id_token
from chargebus_session.transactions.domain import settling
from chargebus_session.transactions.domain.decide import record
from chargebus_session.transactions.domain.events import Event, Sample
from chargebus_session.transactions.domain.fold import gaps, merge, with_number
from chargebus_session.transactions.domain.sessions import Reference, Report, Session, summarize
from chargebus_session.transactions.domain.state import Issue, Known, TransactionState
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
TOKENS = {
    "good": Token("good"),
    "blocked": Token("blocked", blocked=True),
    "other": Token("other"),
    "car": Token("car"),
}
PRESENTED = [
    None,
    *map(id_token, TOKENS),
    id_token("who"),
    id_token("car", "MacAddress"),
    id_token("", "NoAuthorization"),
]

times = st.integers(-3600, 36000).map(lambda s: NOON + timedelta(seconds=s))
samples = st.lists(
    st.tuples(
        times,
        st.integers(0, 90_000).map(float),
        st.sampled_from(["Transaction.Begin", "Sample.Periodic", "Sample.Clock", "Transaction.End"]),
        st.sampled_from(["Outlet", "Inlet"]),
    ),
    max_size=3,
).map(lambda found: tuple(Sample(*sample, index) for index, sample in enumerate(found)))


@st.composite
def events(draw):
    """One transaction: distinct events, not always complete, in the order of their times; it ends once."""
    kinds = [(0, "Started"), *((n, "Updated") for n in range(1, 6)), (6, "Ended")]
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, unique=True))
    moments = sorted(draw(st.lists(times, min_size=7, max_size=7)))
    return [
        Event(
            number=number,
            kind=kind,
            content=f"{number}/{kind}",
            at=moments[number],
            received_at=NOON,
            token=draw(st.sampled_from(PRESENTED)),
            starts=draw(st.booleans()),
            evse_id=draw(st.sampled_from([None, 1, 2])),
            connector_id=draw(st.sampled_from([None, 1])),
            charging_state=draw(st.sampled_from(["", "Charging", "SuspendedEV"])),
            reason=draw(st.sampled_from(["", "Remote", "EVDisconnected"])) if kind == "Ended" else "",
            remote_start_id=draw(st.sampled_from([None, 5, 6])),
            samples=draw(samples),
            flags=() if kind == "Started" else draw(st.sampled_from([(), ("clock_implausible",)])),
        )
        for number, kind in chosen
    ]


@st.composite
def arrivals(draw):
    """The same events in order, and again in any order with any of them repeated."""
    ordered = draw(events())
    repeated = draw(st.lists(st.sampled_from(ordered), max_size=6))
    return ordered, draw(st.permutations([*ordered, *repeated]))


def settle(found):
    state = TransactionState(Known(tokens=TOKENS), Issue(lambda: "s", lambda: "1"))
    answers = {}
    for event in found:
        recorded = record(state, Report("CS1", "2.0.1", Reference(("station/tx",), "tx"), event))
        if isinstance(recorded, bytes):
            assert recorded == answers[event.number, event.kind]
            continue
        status = recorded.judgement.status if recorded.judgement else ""
        payload = answers[event.number, event.kind] = f"{event.number}{event.kind}{status}".encode()
        state.keep(msgspec.structs.replace(recorded, payload=payload))
    return state.recorded[-1].session.fold, answers


@given(arrivals())
def test_E13_the_order_of_arrival_and_repeats_make_no_difference(found):
    ordered, shuffled = found

    assert settle(shuffled) == settle(ordered)


@given(arrivals())
def test_energy_is_never_negative_whatever_comes(found):
    energy_wh = summarize(settle(found[1])[0]).energy_wh

    assert energy_wh is None or energy_wh >= 0


@given(st.lists(st.integers(-3, 12), min_size=1))
def test_ranges_and_gaps_are_exactly_the_numbers_seen_and_missing(numbers):
    seen = ()
    for number in numbers:
        seen = with_number(seen, number)

    present = {n for start, stop in seen for n in range(start, stop + 1)}
    missing = {n for start, stop in gaps(seen) for n in range(start, stop + 1)}
    assert present == set(numbers)
    assert missing == set(range(min(numbers), max(numbers) + 1)) - present


def test_ranges_are_joined():
    assert with_number(((0, 1), (3, 4)), 2) == ((0, 4),)


def event(number, kind, **more):
    at = more.pop("at", NOON + timedelta(minutes=number))
    return Event(number, kind, at, NOON, **more)


def fold_of(*found):
    fold = None
    for each in found:
        fold = merge(fold, each, None)
    return fold


def begin(wh, at=NOON, location="Outlet"):
    return Sample(at, wh, "Transaction.Begin", location, 0)


def end(wh, at=NOON + timedelta(hours=1), location="Outlet"):
    return Sample(at, wh, "Transaction.End", location, 1)


def periodic(wh, minutes, location="Outlet"):
    return Sample(NOON + timedelta(minutes=minutes), wh, "Sample.Periodic", location, 2)


def test_energy_lies_between_begin_and_end():
    fold = fold_of(event(0, "Started", samples=(begin(100.0),)), event(1, "Ended", samples=(end(1600.5),)))

    assert summarize(fold).energy_wh == 1500.5


def test_energy_without_contexts_lies_between_the_first_and_the_last_reading():
    fold = fold_of(event(1, "Updated", samples=(periodic(300.0, 20), periodic(100.0, 1), periodic(700.0, 30))))

    summary = summarize(fold)
    assert (summary.meter_start_wh, summary.meter_stop_wh, summary.energy_wh) == (100.0, 700.0, 600.0)


def test_a_clock_set_back_in_the_middle_does_not_change_the_energy():
    fold = fold_of(
        event(0, "Started", samples=(periodic(1000.0, 0),)),
        event(1, "Updated", samples=(periodic(1100.0, -59),)),
        event(2, "Updated", samples=(periodic(2000.0, -29),)),
        event(3, "Ended", samples=(periodic(4000.0, -1),)),
    )

    assert summarize(fold).energy_wh == 3000.0


def test_a_marked_begin_and_end_count_more_than_what_came_with_the_first_and_last_event():
    fold = fold_of(
        event(0, "Started", samples=(periodic(100.0, 0),)),
        event(1, "Updated", samples=(begin(105.0), end(900.0))),
        event(2, "Ended", samples=(periodic(905.0, 90),)),
    )

    assert summarize(fold).energy_wh == 795.0


def test_a_reading_kept_for_the_end_is_not_the_one_at_the_end():
    aligned = Sample(NOON + timedelta(minutes=45), 2800.0, "Sample.Clock", "Outlet", 0)
    fold = fold_of(
        event(0, "Started", samples=(begin(100.0),)),
        event(1, "Updated", samples=(periodic(2900.0, 55),)),
        event(2, "Ended", samples=(aligned,)),
    )

    assert summarize(fold).meter_stop_wh == 2900.0


def test_the_reading_of_an_end_alone_is_no_start_even_if_it_is_not_marked():
    summary = summarize(fold_of(event(4, "Ended", samples=(periodic(900.0, 4),))))

    assert (summary.meter_start_wh, summary.meter_stop_wh) == (None, 900.0)


def test_of_several_begins_and_ends_the_outermost_count():
    inner = (begin(200.0, at=NOON + timedelta(minutes=5)), end(800.0, at=NOON + timedelta(minutes=50)))

    for parts in ((begin(100.0), end(900.0), *inner), (*inner, begin(100.0), end(900.0))):
        assert summarize(fold_of(event(0, "Started", samples=parts))).energy_wh == 800.0


def test_one_reading_is_a_start_and_no_energy_yet():
    summary = summarize(fold_of(event(0, "Started", samples=(begin(100.0),))))

    assert (summary.meter_start_wh, summary.meter_stop_wh, summary.energy_wh) == (100.0, None, None)


def test_the_end_alone_is_no_start():
    summary = summarize(fold_of(event(4, "Ended", samples=(end(900.0),))))

    assert (summary.meter_start_wh, summary.meter_stop_wh, summary.energy_wh) == (None, 900.0, None)
    assert summary.missing == ("started",)


def test_a_meter_that_went_back_gives_no_energy_and_a_mark():
    fold = fold_of(event(0, "Started", samples=(begin(900.0),)), event(1, "Ended", samples=(end(100.0),)))

    summary = summarize(fold)
    assert (summary.meter_start_wh, summary.meter_stop_wh, summary.energy_wh) == (900.0, 100.0, None)
    assert summary.flags == ("meter_went_back",)


def test_the_outlet_is_measured_where_several_registers_are():
    both = (begin(100.0), end(300.0), begin(5.0, location="Inlet"), end(999.0, location="Inlet"))

    assert summarize(fold_of(event(0, "Started", samples=both))).energy_wh == 200.0


def test_E01_FR_07_a_gap_shows_until_the_late_event_fills_it():
    early = fold_of(event(0, "Started"), event(3, "Ended"))

    assert summarize(early).gaps == ((1, 2),)
    assert summarize(merge(early, event(2, "Updated"), None)).gaps == ((1, 1),)


def test_numbering_may_start_anywhere():
    assert summarize(fold_of(event(17, "Started"), event(18, "Ended"))).gaps == ()


def test_a_number_used_twice_loses_nothing_and_is_marked():
    summary = summarize(fold_of(event(0, "Started"), event(1, "Updated"), event(1, "Ended")))

    assert summary.state == "ended"
    assert summary.flags == ("energy_unknown", "sequence_number_reused")


def test_the_charging_state_is_the_newest_by_number():
    fold = fold_of(event(2, "Updated", charging_state="SuspendedEV"), event(1, "Updated", charging_state="Charging"))

    assert summarize(fold).charging_state == "SuspendedEV"


def test_the_charging_state_of_a_transaction_that_is_over_is_that_of_its_end():
    begun = (event(0, "Started", charging_state="EVConnected"), event(1, "Updated", charging_state="Charging"))
    session = Session("s", "CS1", "2.0.1", "n", "", "t", NOON, NOON, fold_of(*begun))
    assert summarize(session.fold).charging_state == "Charging"
    assert settling.end_by_rule(session, NOON, NOON).summary.charging_state == ""
    assert settling.end(session, settling.Values(), NOON).summary.charging_state == ""
    assert (
        settling.reopen(settling.end(session, settling.Values(), NOON).session, NOON).summary.charging_state
        == "Charging"
    )
    assert summarize(fold_of(*begun, event(2, "Ended"))).charging_state == ""
    assert summarize(fold_of(*begun, event(2, "Ended", charging_state="Idle"))).charging_state == "Idle"


def test_a_stop_without_a_reason_is_local():
    assert summarize(fold_of(event(1, "Ended"))).stop_reason == "Local"


def test_a_clock_that_went_back_is_marked():
    fold = fold_of(event(0, "Started"), event(1, "Ended", at=NOON - timedelta(hours=2)))

    assert summarize(fold).flags == ("clock_went_back", "energy_unknown")
