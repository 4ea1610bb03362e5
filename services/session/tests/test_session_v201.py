import json

import msgspec
import pytest
from chargebus_ocppj.schemas import encode_call, encode_result, validate_call, validate_result
from chargebus_session.remote.domain import ProfileOfStart, ProfilePeriod, Start, Stop
from chargebus_session.remote.routes import REMOTE
from chargebus_session.routes import ROUTES
from chargebus_session.tokens import v201 as tokens_v201
from chargebus_session.tokens.domain import Authorize, Judgement, Token, id_token
from chargebus_session.transactions import v201 as transactions_v201
from chargebus_session.transactions.domain.state import Recorded

EVENT = {
    "eventType": "Started",
    "timestamp": "2025-06-01T12:00:00Z",
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "tx", "chargingState": "Charging", "remoteStartId": 5},
    "offline": True,
    "evse": {"id": 1, "connectorId": 2},
    "idToken": {"idToken": "TAG", "type": "ISO14443"},
}


@pytest.fixture
def read(frame):
    def read(request, action="TransactionEvent", version="2.0.1"):
        payload = json.dumps(request).encode()
        validate_call(version, action, payload)
        return ROUTES[version, action].read(frame(version, action, payload))

    return read


def metered(*values):
    return EVENT | {"meterValue": [{"timestamp": "2025-06-01T12:00:00Z", "sampledValue": list(values)}]}


def test_an_event_is_read_whole(read, noon):
    event = read(EVENT).event

    assert (event.number, event.kind, event.at, event.trigger) == (0, "Started", noon, "Authorized")
    assert (event.evse_id, event.connector_id, event.charging_state, event.remote_start_id) == (1, 2, "Charging", 5)
    assert (event.token, event.starts, event.offline) == (id_token("TAG", "ISO14443"), True, True)


@pytest.mark.parametrize(
    ("value", "wh"),
    [
        ({"value": 1500}, 1500.0),
        ({"value": 1.5, "unitOfMeasure": {"unit": "kWh"}}, 1500.0),
        ({"value": 15, "unitOfMeasure": {"unit": "Wh", "multiplier": 2}}, 1500.0),
        ({"value": 1500, "unitOfMeasure": {"multiplier": -3}}, 1.5),
        ({"value": 1.5, "unitOfMeasure": {"unit": "KWH"}}, 1500.0),
        ({"value": 1.5, "unitOfMeasure": {"unit": "MWh"}}, 1_500_000.0),
        ({"value": 1500, "unitOfMeasure": {"unit": "mWh"}}, 1.5),
        ({"value": 1500, "unitOfMeasure": {"unit": " Wh\x1f"}}, 1500.0),
        ({"value": 1500, "unitOfMeasure": {"unit": ""}}, 1500.0),
        ({"value": 0.1, "unitOfMeasure": {"unit": "kWh"}, "measurand": "Energy.Active.Import.Register"}, 100.0),
    ],
)
def test_J02_energy_is_read_in_watt_hours(read, value, wh):
    assert [sample.wh for sample in read(metered(value)).event.samples] == [wh]


@pytest.mark.parametrize(
    "value",
    [
        {"value": 1, "measurand": "Power.Active.Import"},
        {"value": 1, "measurand": "Energy.Active.Export.Register"},
        {"value": 1, "unitOfMeasure": {"unit": "W"}},
        {"value": 1, "unitOfMeasure": {"unit": "mwh"}},
        {"value": 1, "unitOfMeasure": {"multiplier": 400}},
    ],
)
def test_what_is_no_imported_energy_is_passed_over(read, value):
    assert read(metered(value)).event.samples == ()


def test_energy_of_a_phase_and_of_an_interval_is_told_apart(read):
    interval = {"value": 5, "measurand": "Energy.Active.Import.Interval", "location": "Inlet"}

    of_phase, of_interval = read(metered({"value": 1, "phase": "L1"}, interval)).event.samples

    assert (of_phase.phase, of_phase.interval, of_phase.index) == ("L1", False, 0)
    assert (of_interval.location, of_interval.interval, of_interval.index) == ("Inlet", True, 1)


def test_a_whole_number_may_be_written_with_a_fraction(frame):
    payload = json.dumps(EVENT).replace('"seqNo": 0', '"seqNo": 4.0').encode()

    assert ROUTES["2.0.1", "TransactionEvent"].read(frame("2.0.1", "TransactionEvent", payload)).event.number == 4


def test_a_number_that_no_column_holds_is_refused(frame):
    payload = json.dumps(EVENT | {"seqNo": 2**70}).encode()

    with pytest.raises(msgspec.ValidationError):
        ROUTES["2.0.1", "TransactionEvent"].read(frame("2.0.1", "TransactionEvent", payload))


@pytest.mark.parametrize(
    ("change", "starts"),
    [
        ({"triggerReason": "StopAuthorized", "eventType": "Updated"}, False),
        ({"eventType": "Ended"}, False),
        ({"triggerReason": "RemoteStart", "eventType": "Updated"}, True),
    ],
)
def test_a_token_starts_or_stops(read, change, starts):
    assert read(EVENT | change).event.starts is starts


JUDGEMENTS = [Judgement("Accepted", True, "GROUP"), Judgement("Unknown"), Judgement("Invalid"), Judgement("Expired")]


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
@pytest.mark.parametrize("judgement", [*JUDGEMENTS, None])
def test_E01_FR_12_answers_are_valid_and_in_the_order_of_the_schema(  # noqa: PLR0913, PLR0917 - each is a fixture or a case
    read, state, noon, version, judgement, answer
):
    if judgement:
        judgement = msgspec.structs.replace(judgement, expires_at=noon)
    report = read(EVENT, version=version)
    answer(state, ROUTES[version, "TransactionEvent"], report)
    known = state.recorded[0]
    told = Recorded(None, known.session, known.summary, known.event, judgement)
    answer = transactions_v201.transaction_noted(report, told)

    validate_result(version, "TransactionEvent", answer)
    assert answer == encode_result(version, "TransactionEvent", json.loads(answer))


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
@pytest.mark.parametrize("judgement", JUDGEMENTS)
@pytest.mark.parametrize("certified", [True, False])
def test_C01_FR_07_authorize_answers_are_valid(noon, version, judgement, certified):
    answer = tokens_v201.authorized(Authorize(id_token("TAG"), noon, certified), judgement)

    validate_result(version, "Authorize", answer)
    assert answer == encode_result(version, "Authorize", json.loads(answer))


def test_an_event_without_a_token_is_answered_with_nothing(state, frame, answer):
    payload = json.dumps({key: value for key, value in EVENT.items() if key != "idToken"}).encode()
    route = ROUTES["2.0.1", "TransactionEvent"]

    assert answer(state, route, route.read(frame("2.0.1", "TransactionEvent", payload))) == b"{}"


def test_C09_FR_12_the_group_goes_with_the_answer(state, read, answer):
    report = read(EVENT | {"idToken": {"idToken": "good", "type": "ISO14443"}})

    assert answer(state, ROUTES["2.0.1", "TransactionEvent"], report) == (
        b'{"idTokenInfo":{"status":"Accepted","groupIdToken":{"idToken":"FAMILY","type":"Central"}}}'
    )


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
@pytest.mark.parametrize(
    ("emaid", "found", "told", "certificate"),
    [
        ("good", "Accepted", "Accepted", "Accepted"),
        ("blocked", "Accepted", "Blocked", "ContractCancelled"),
        ("nobody's", "Accepted", "Unknown", "ContractCancelled"),
        ("good", "CertificateExpired", "Expired", "CertificateExpired"),
        ("good", "CertificateRevoked", "Invalid", "CertificateRevoked"),
        ("good", "CertChainError", "Invalid", "CertChainError"),
        ("good", "SignatureError", "Invalid", "SignatureError"),
        ("nobody's", "CertificateRevoked", "Invalid", "CertificateRevoked"),
    ],
)
def test_C07_FR_13_to_17_a_contract_is_as_good_as_its_certificate_and_its_token(  # noqa: PLR0913, PLR0917 - a case
    state, frame, version, answer, emaid, found, told, certificate
):
    payload = {"idToken": {"idToken": emaid, "type": "eMAID"}, "certificate": "-----BEGIN CERTIFICATE-----"}
    checked = json.dumps({"status": found, "why": "because"}).encode()
    row = ROUTES[version, "Authorize"]
    asked = msgspec.structs.replace(frame(version, "Authorize", json.dumps(payload).encode()), contract=checked)

    said = json.loads(answer(state, row, row.read(asked)))

    assert (said["idTokenInfo"]["status"], said["certificateStatus"]) == (told, certificate)
    validate_result(version, "Authorize", json.dumps(said).encode())


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
@pytest.mark.parametrize(("kind", "waits"), [("eMAID", True), ("EMAID", True), ("ISO14443", False)])
def test_C07_an_emaid_is_looked_at_even_if_nothing_is_shown_of_its_certificate(frame, version, kind, waits):
    payload = json.dumps({"idToken": {"idToken": "DE8AAC12345678", "type": kind}}).encode()
    assert ROUTES[version, "Authorize"].read(frame(version, "Authorize", payload)).is_unchecked is waits


def test_C02_FR_02_a_start_button_is_accepted_and_not_billed(state, read, answer):
    report = read(EVENT | {"idToken": {"idToken": "", "type": "NoAuthorization"}})

    answer = answer(state, ROUTES["2.0.1", "TransactionEvent"], report)

    assert answer == b'{"idTokenInfo":{"status":"Accepted"}}'
    assert state.recorded[0].summary.billable is False


PROFILE = ProfileOfStart(7, 0, "A", (ProfilePeriod(0, 10.0),))


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
@pytest.mark.parametrize("token", [Token("TAG"), Token("TAG", "ISO14443", "GROUP")])
def test_F01_FR_04_remote_start_and_stop_are_valid(version, token):
    [remote] = [each for each in REMOTE if version in each.versions]
    for action, payload in (
        (remote.start_action, remote.start(Start(2, token, 5))),
        (remote.start_action, remote.start(Start(2, token, 5, PROFILE))),
        (remote.stop_action, remote.stop(Stop("tx"))),
    ):
        validate_call(version, action, encode_call(version, action, payload))


def test_F01_FR_08_a_start_carries_its_profile():
    profile = REMOTE[1].start(Start(2, Token("TAG"), 5, PROFILE))["chargingProfile"]

    assert (profile["chargingProfilePurpose"], profile.get("transactionId")) == ("TxProfile", None)
    [schedule] = profile["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.0}]


def test_2_1_takes_longer_tokens():
    assert {each.versions: each.id_token_limit for each in REMOTE[1:]} == {("2.0.1",): 36, ("2.1",): 255}
