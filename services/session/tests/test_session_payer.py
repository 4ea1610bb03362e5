"""Who pays for a transaction in which several tokens, or none, are told."""

import pytest
from chargebus_session.tokens.domain import Token, id_token
from chargebus_session.transactions.domain.decide import record
from chargebus_session.transactions.domain.events import Event
from chargebus_session.transactions.domain.sessions import Reference, Report
from chargebus_session.transactions.domain.state import Issue, Known, TransactionState

TOKENS = {
    "alice": Token("ALICE"),
    "bob": Token("BOB"),
    "car": Token("CAR"),
    "single": Token("SINGLE", concurrent=False),
    "van": Token("VAN", group_id="FLEET"),
    "blocked": Token("BLOCKED", blocked=True),
}
PARKED = id_token("", "NoAuthorization")
CAR = id_token("CAR", "MacAddress")


@pytest.fixture
def tell(noon):
    """Tell events of one transaction and return what they add up to: `tell(token, …)`, in the order of arrival."""

    def tell(*events, named=None):
        state = TransactionState(Known(tokens=TOKENS, named=named or {}), Issue(lambda: "s", lambda: "1"))
        for event in events:
            state.keep(record(state, Report("CS1", "2.0.1", Reference(("station/tx",), "tx"), event)))
        return state.recorded[-1].summary

    return tell


@pytest.fixture
def event(noon):
    def event(number, token=None, *, kind="", starts=True, **more):
        return Event(
            number, kind or ("Started" if number == 0 else "Updated"), noon, noon, token=token, starts=starts, **more
        )

    return event


@pytest.mark.parametrize("kind", ["ISO14443", "ISO15693", "KeyCode", "eMAID", "Central", "DirectPayment", "Cash", ""])
@pytest.mark.parametrize(
    "before", [PARKED, CAR, id_token("CAR", "EVCCID"), id_token("CAR", "VIN"), id_token("CAR", "Local")]
)
def test_who_shows_a_token_pays_whatever_was_known_without_one(tell, event, kind, before):
    summary = tell(event(0, before), event(1, id_token("ALICE", kind)))

    assert (summary.id_token, summary.id_token_type, summary.billable) == ("ALICE", kind, True)
    assert summary.flags == ()


def test_the_group_of_who_pays_is_told_with_the_session(tell, event, noon):
    summary = tell(event(0, CAR), event(1, id_token("VAN")))

    assert summary.token_group == "FLEET"
    assert tell(event(0, id_token("ALICE"))).token_group == ""


def test_the_car_pays_where_nobody_shows_a_token(tell, event):
    summary = tell(event(0, PARKED), event(1, CAR))

    assert (summary.id_token, summary.billable) == ("CAR", True)


def test_without_any_of_them_nobody_pays(tell, event):
    summary = tell(event(0, PARKED), event(1))

    assert (summary.id_token_type, summary.token_status, summary.billable) == ("NoAuthorization", "Accepted", False)


def test_a_refused_card_takes_nothing_from_the_car(tell, event):
    assert tell(event(0, CAR), event(1, id_token("BLOCKED"))).id_token == "CAR"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_two_cards_the_first_pays_and_the_second_shows(tell, event, order):
    events = event(0, PARKED), event(1, id_token("ALICE")), event(2, id_token("BOB"))

    summary = tell(*(events[number] for number in order))

    assert (summary.id_token, summary.flags) == ("ALICE", ("second_token",))


def test_the_same_card_again_is_no_second_one(tell, event):
    assert tell(event(0, id_token("ALICE")), event(1, id_token("alice"))).flags == ()


def test_a_card_that_stops_or_is_refused_is_no_second_one(tell, event):
    stopped = event(2, id_token("BOB"), kind="Ended", starts=False)

    assert tell(event(0, id_token("ALICE")), event(1, id_token("BLOCKED")), stopped).flags == ("energy_unknown",)


def test_who_a_remote_start_names_pays_if_the_station_names_nobody(tell, event):
    named = {("CS1", 5): id_token("ALICE")}

    for token in (None, PARKED):
        summary = tell(event(0, token, remote_start_id=5), named=named)
        assert (summary.id_token, summary.billable, summary.flags) == ("ALICE", True, ("token_from_remote_start",))


def test_who_a_remote_start_names_pays_though_only_the_end_names_it(tell, event):
    ended = event(3, kind="Ended", starts=False, remote_start_id=5)

    assert tell(ended, named={("CS1", 5): id_token("ALICE")}).billable is True


def test_the_token_that_the_station_names_counts_more_than_that_of_the_remote_start(tell, event):
    named = {("CS1", 5): id_token("ALICE")}

    summary = tell(event(0, id_token("BOB"), remote_start_id=5), event(1), named=named)

    assert (summary.id_token, summary.flags) == ("BOB", ())


def test_a_remote_start_that_is_named_again_and_again_says_nothing_new(tell, event):
    named = {("CS1", 5): id_token("ALICE")}

    summary = tell(event(0, id_token("ALICE"), remote_start_id=5), event(1, remote_start_id=5), named=named)

    assert summary.flags == ()


def test_who_was_named_by_a_remote_start_and_is_blocked_since_does_not_pay(tell, event):
    summary = tell(event(0, remote_start_id=5), named={("CS1", 5): id_token("BLOCKED")})

    assert (summary.id_token, summary.token_status, summary.billable) == ("BLOCKED", "Blocked", False)
