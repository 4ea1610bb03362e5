import json

import pytest
from chargebus_ocppj.schemas import encode_result, validate_call, validate_result
from chargebus_session.remote.domain import ProfileOfStart, ProfilePeriod, Start, Stop
from chargebus_session.remote.routes import REMOTE
from chargebus_session.routes import ROUTES
from chargebus_session.tokens import v16 as tokens_v16
from chargebus_session.tokens.domain import Authorize, Judgement, Token, id_token
from chargebus_session.transactions import v16 as transactions_v16
from chargebus_session.transactions.domain.state import Recorded


@pytest.fixture
def read(frame):
    def read(action, payload):
        return ROUTES["1.6", action].read(frame("1.6", action, payload))

    return read


PROFILE = ProfileOfStart(7, 1, "A", (ProfilePeriod(0, 10.19, 3), ProfilePeriod(600, 0)), 3600)


def start(**changes):
    request = {"connectorId": 2, "idTag": "TAG", "meterStart": 7, "timestamp": "2025-06-01T11:59:00Z"} | changes
    return json.dumps(request).encode()


def test_connector_n_is_evse_n_with_connector_1(read):
    event = read("StartTransaction", start()).event

    assert (event.evse_id, event.connector_id) == (2, 1)


def test_connector_0_is_the_station(read):
    event = read("StartTransaction", start(connectorId=0)).event

    assert (event.evse_id, event.connector_id) == (0, 0)


def test_control_bytes_in_an_id_tag_are_dropped(read):
    assert read("StartTransaction", start(idTag="\x00\x1fTAG\x7f ")).event.token == id_token("TAG")


def test_a_meter_with_fractions_is_taken(read):
    assert read("StartTransaction", start(meterStart=7.25)).event.samples[0].wh == 7.25


@pytest.mark.parametrize(
    ("timestamp", "flags"),
    [
        ("1970-01-01T00:00:37Z", ("clock_implausible",)),
        ("2031-01-01T00:00:00Z", ("clock_implausible",)),
        ("2025-05-01T00:00:00", ()),
        ("yesterday", ("timestamp_unreadable",)),
    ],
)
def test_a_clock_that_cannot_be_right_is_marked(read, timestamp, flags):
    assert read("StartTransaction", start(timestamp=timestamp)).event.flags == flags


def test_an_unreadable_time_is_the_time_of_receipt(read, noon):
    assert read("StartTransaction", start(timestamp="yesterday")).event.at == noon


def test_a_stop_has_no_token_and_no_reason_where_none_is_given(read):
    event = read("StopTransaction", b'{"transactionId":1,"meterStop":9,"timestamp":"2025-06-01T12:00:00Z"}').event

    assert (event.token, event.reason) == (None, "")


def test_an_empty_id_tag_of_a_stop_is_none(read):
    stop = b'{"transactionId":1,"idTag":"","meterStop":9,"timestamp":"2025-06-01T12:00:00Z"}'

    assert read("StopTransaction", stop).event.token is None


def test_energy_in_the_transaction_data_of_a_stop_counts_before_its_meter_stop(read):
    values = [
        {"value": "5", "context": "Transaction.Begin"},
        {"value": "0.5", "unit": "kWh", "phase": "L1"},
        {"value": "4", "measurand": "Energy.Active.Import.Interval"},
        {"value": "OCMF|1", "format": "SignedData"},
        {"value": "nan"},
        {"value": "32", "measurand": "Voltage"},
    ]
    data = [{"timestamp": "2025-06-01T11:00:00Z", "sampledValue": values}]
    stop = {"transactionId": 1, "meterStop": 9, "timestamp": "2025-06-01T12:00:00Z", "transactionData": data}

    samples = read("StopTransaction", json.dumps(stop).encode()).event.samples

    assert [(each.wh, each.context, each.phase, each.interval) for each in samples] == [
        (5, "Transaction.Begin", "", False),
        (500, "Sample.Periodic", "L1", False),
        (4, "Sample.Periodic", "", True),
        (9, "Transaction.End", "", False),
    ]
    assert [each.index for each in samples] == [0, 1, 2, 3]


def test_much_transaction_data_does_not_cost_the_stop(read):
    stop = json.dumps(
        {
            "transactionId": 1,
            "meterStop": 9,
            "timestamp": "2025-06-01T12:00:00Z",
            "transactionData": [{"timestamp": "2025-06-01T12:00:00Z", "sampledValue": [{"value": "1"}] * 500}],
        }
    ).encode()

    assert read("StopTransaction", stop).event.number == 1


JUDGEMENTS = [
    Judgement("Accepted", True, "GROUP"),
    Judgement("Unknown"),
    Judgement("Blocked"),
    Judgement("ConcurrentTx"),
    Judgement("Accepted", True, "G" * 21),
]


@pytest.mark.parametrize("judgement", JUDGEMENTS)
def test_answers_are_valid_and_in_the_order_of_the_schema(read, answer, state, noon, judgement):
    judgement = Judgement(judgement.status, judgement.billable, judgement.group_id, noon)
    report = read("StartTransaction", start())
    answer(state, ROUTES["1.6", "StartTransaction"], report)
    recorded = state.recorded[0]
    told = Recorded(None, recorded.session, recorded.summary, recorded.event, judgement)
    for action, told_so in (
        ("Authorize", tokens_v16.authorized(Authorize(id_token("TAG"), noon), judgement)),
        ("StartTransaction", transactions_v16.transaction_started(report, told)),
        ("StopTransaction", transactions_v16.transaction_stopped(report, told)),
    ):
        validate_result("1.6", action, told_so)
        assert told_so == encode_result("1.6", action, json.loads(told_so))


def test_a_group_too_long_for_a_parent_id_tag_is_left_out(noon):
    answer = tokens_v16.authorized(Authorize(id_token("TAG"), noon), Judgement("Accepted", True, "G" * 21))

    assert answer == b'{"idTagInfo":{"status":"Accepted"}}'


def test_times_in_answers_end_in_Z(noon):
    answer = tokens_v16.authorized(Authorize(id_token("TAG"), noon), Judgement("Accepted", expires_at=noon))

    assert answer == b'{"idTagInfo":{"expiryDate":"2025-06-01T12:00:00.000Z","status":"Accepted"}}'


def test_remote_start_and_stop_are_valid():
    remote = REMOTE[0]
    for action, payload in (
        (remote.start_action, remote.start(Start(2, Token("TAG"), 5))),
        (remote.start_action, remote.start(Start(2, Token("TAG"), 5, PROFILE))),
        (remote.stop_action, remote.stop(Stop("1001"))),
    ):
        validate_call("1.6", action, json.dumps(payload).encode())


def test_a_start_says_the_limits_of_its_profile_with_one_decimal_never_higher():
    profile = REMOTE[0].start(Start(2, Token("TAG"), 5, PROFILE))["chargingProfile"]

    assert (profile["chargingProfileId"], profile["chargingProfilePurpose"]) == (7, "TxProfile")
    assert profile["chargingSchedule"] == {
        "duration": 3600,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 10.1, "numberPhases": 3},
            {"startPeriod": 600, "limit": 0},
        ],
    }
