"""What is secret in a payload: never shown, sent as it is, and not told by what the station says of it either."""

import json

import pytest
from chargebus_ocppj.actions import ACTIONS
from chargebus_ocppj.masking import MASK, masked_address
from chargebus_ocppj.schemas import validate_call
from chargebus_ocppj.secrets import STANDARD, TELLS_SETTINGS, Secrets
from hypothesis import given
from hypothesis import strategies as st

SECRET = "correct-horse-batt"


def encoded(payload: object) -> bytes:
    return json.dumps(payload).encode()


def variable(value: str, name: str, component: str = "SecurityCtrlr", instance: str | None = None) -> dict[str, object]:
    described = {"name": name} | ({"instance": instance} if instance else {})
    return {"attributeValue": value, "component": {"name": component}, "variable": described}


def profile(**more: object) -> dict[str, object]:
    data = {
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "wss://csms.example/ocpp",
        "messageTimeout": 30,
        "securityProfile": 1,
        "ocppInterface": "Wired0",
    }
    return {"configurationSlot": 1, "connectionData": {**data, **more}}


APN = {"apn": "internet", "apnAuthentication": "PAP"}
VPN = {"server": "v", "user": "u", "type": "PPTP", "password": "pass word", "key": "a key"}
FILE = f"ftp://user:{SECRET}@files.example/fw.bin"
SIGNED = f"https://files.example/fw.bin?sig={SECRET}"
AT = "2026-05-01T12:00:00Z"
ASKED = {"requestId": 1, "report": True, "clear": False}
HASHES = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b"}

CALLS = [
    ("1.6", "ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET}),
    ("1.6", "ChangeConfiguration", {"key": "authorizationkey", "value": SECRET}),
    ("1.6", "ChangeConfiguration", {"key": "Acme.Wifi-Password", "value": SECRET}),
    ("1.6", "ChangeConfiguration", {"key": "CentralSystemURL", "value": f"wss://CP1:{SECRET}@csms.example/ocpp"}),
    ("1.6", "GetDiagnostics", {"location": FILE}),
    ("1.6", "GetLog", {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": FILE}}),
    ("1.6", "UpdateFirmware", {"location": SIGNED, "retrieveDate": AT}),
    (
        "1.6",
        "SignedUpdateFirmware",
        {
            "requestId": 1,
            "firmware": {"location": FILE, "retrieveDateTime": AT, "signingCertificate": "c", "signature": "s"},
        },
    ),
    (
        "2.0.1",
        "SetVariables",
        {"setVariableData": [variable("7", "Organization"), variable(SECRET, "BasicAuthPassword")]},
    ),
    ("2.0.1", "SetVariables", {"setVariableData": [variable(SECRET, "Custom", "Acme", instance="apiKey")]}),
    ("2.0.1", "SetNetworkProfile", profile(ocppVersion="OCPP20", apn={**APN, "apnPassword": SECRET})),
    ("2.0.1", "SetNetworkProfile", profile(ocppVersion="OCPP20", vpn={**VPN, "key": SECRET})),
    ("2.0.1", "SetNetworkProfile", profile(ocppVersion="OCPP20", vpn={**VPN, "password": SECRET})),
    ("2.1", "SetNetworkProfile", profile(basicAuthPassword=SECRET)),
    ("2.0.1", "GetLog", {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": FILE}}),
    ("2.0.1", "UpdateFirmware", {"requestId": 1, "firmware": {"location": SIGNED, "retrieveDateTime": AT}}),
    ("2.1", "PublishFirmware", {"location": FILE, "checksum": "0" * 32, "requestId": 1}),
    ("2.0.1", "CustomerInformation", ASKED | {"customerIdentifier": SECRET}),
    ("2.0.1", "CustomerInformation", ASKED | {"idToken": {"idToken": SECRET, "type": "Central"}}),
    ("2.1", "CustomerInformation", ASKED | {"customerCertificate": {**HASHES, "serialNumber": SECRET}}),
    (
        "2.0.1",
        "InstallCertificate",
        {"certificateType": "CSMSRootCertificate", "certificate": f"-----BEGIN PRIVATE KEY-----\n{SECRET}"},
    ),
]


@pytest.mark.parametrize(("version", "action", "payload"), CALLS)
def test_a_call_is_shown_without_its_secrets(version, action, payload):
    sent = encoded(payload)
    shown = STANDARD.masked_call(action, sent)

    validate_call(version, action, sent)  # what a station is really sent
    assert SECRET not in shown.decode()
    assert MASK in shown.decode()
    assert STANDARD.masked_call(action, shown) == shown


@pytest.mark.parametrize(("version", "action", "payload"), CALLS)
def test_a_station_may_repeat_a_secret_and_it_is_not_told(version, action, payload):
    sent = encoded(payload)
    answer = encoded({"status": "Rejected", "statusInfo": {"additionalInfo": f"'{SECRET}' is too weak"}})

    assert SECRET not in STANDARD.masked_result(action, sent, answer).decode()
    assert SECRET not in STANDARD.purged_text(action, sent, f"what is {SECRET}?")
    assert b"too weak" in STANDARD.masked_result(action, sent, answer)


def test_a_pin_that_is_a_number_is_a_secret():
    sent = encoded(profile(ocppVersion="OCPP20", apn={**APN, "simPin": 98765}))

    assert b"98765" not in STANDARD.masked_call("SetNetworkProfile", sent)
    assert STANDARD.purged_text("SetNetworkProfile", sent, "98765 does not fit") == "*** does not fit"


def test_a_secret_is_found_in_words_that_were_cut_and_as_json_writes_it():
    sent = encoded({"key": "AuthorizationKey", "value": 'a "quoted" password'})

    purged = [
        STANDARD.purged_text("ChangeConfiguration", sent, text) for text in ('is "a \\"quo…', 'a \\"quoted\\" password')
    ]
    assert purged == ['is "***…', "***"]


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("GetConfiguration", {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": SECRET}]}),
        ("GetConfiguration", {"configurationKey": {"key": "AuthorizationKey", "value": SECRET}}),
        (
            "GetVariables",
            {"getVariableResult": [variable(SECRET, "BasicAuthPassword") | {"attributeStatus": "Accepted"}]},
        ),
        ("GetVariables", {"getVariableResult": [variable(SECRET, "vpnKey", "NetworkConfiguration")]}),
    ],
)
def test_an_answer_that_tells_settings_is_shown_without_the_secret_ones(action, payload):
    assert SECRET not in STANDARD.masked_result(action, b"{}", encoded(payload)).decode()
    assert SECRET not in STANDARD.purged_text(action, b"{}", f"{SECRET} is too long", encoded(payload))


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        (
            "NotifyReport",
            {"reportData": [{**variable("", "BasicAuthPassword"), "variableAttribute": [{"value": SECRET}]}]},
        ),
        ("NotifyEvent", {"eventData": [{**variable("", "SimPin"), "actualValue": SECRET}]}),
    ],
)
def test_what_a_station_tells_of_its_settings_by_itself_is_masked_too(action, payload):
    assert action in TELLS_SETTINGS
    assert SECRET not in STANDARD.masked_call(action, encoded(payload)).decode()


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "300"}),
        ("ChangeConfiguration", {"key": "MeterPublicKey", "value": "04ab"}),
        ("ChangeConfiguration", {"key": "CentralSystemURL", "value": "wss://csms.example/ocpp"}),
        ("SetVariables", {"setVariableData": [variable("2", "SecurityProfile")]}),
        ("UpdateFirmware", {"location": "https://files.example/fw@2.bin".replace("@", "-"), "retrieveDate": AT}),
        ("RemoteStartTransaction", {"idTag": "ALICE"}),
        ("DataTransfer", {"vendorId": "Acme", "data": SECRET}),
        ("ChangeConfiguration", ["not", "an", "object"]),
        ("SetVariables", {"setVariableData": [None, {"variable": None, "attributeValue": "1"}]}),
    ],
)
def test_what_is_no_secret_is_left_as_it_was_written(action, payload):
    sent = encoded(payload)

    assert STANDARD.masked_call(action, sent) is sent
    assert STANDARD.masked_result(action, sent, b'{ "status":"Accepted" }') == b'{ "status":"Accepted" }'


@pytest.mark.parametrize("named", ["Acme/Door", "acme/", "ACME/door"])
def test_a_data_transfer_that_an_operator_names_is_secret_both_ways(named):
    secrets = Secrets.of(["DoorCode", named])
    sent = encoded({"vendorId": "Acme", "messageId": "Door", "data": SECRET})

    assert SECRET not in secrets.masked_call("DataTransfer", sent).decode()
    assert (
        json.loads(secrets.masked_result("DataTransfer", sent, b'{"status":"Accepted","data":"1234"}'))["data"] == MASK
    )
    other = encoded({"vendorId": "Other", "messageId": "Door", "data": "x"})
    assert secrets.masked_call("DataTransfer", other) == other
    assert secrets.masked_result("DataTransfer", other, b'{"data":"1234"}') == b'{"data":"1234"}'


def test_a_setting_that_an_operator_names_is_secret():
    secrets = Secrets.of(["Door_Code"])

    assert MASK in secrets.masked_call("ChangeConfiguration", encoded({"key": "doorCode", "value": "12"})).decode()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ftp://user:p@ss/word@host/x", "ftp://***@host/x"),
        ("user:pass@host/x", "***@host/x"),
        ("https://host/x?token=1#f", "https://host/x?***"),
        ("https://host/x", "https://host/x"),
        ("https://host/files/7hJk2_-9aBcDeFgHiJkLmNoPqRsTuVwXyZ012345678/fw.bin?", "https://host/files/***/fw.bin?"),
        ("https://host/firmware/a-name-that-is-long-and-no-secret-to-anyone.bin", None),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_user_password_and_query(address, shown):
    assert masked_address(address) == (address if shown is None else shown)


@pytest.mark.parametrize("action", ["GetConfiguration", "ChangeConfiguration"])
def test_what_is_nested_too_deep_is_not_shown(action):
    sent = encoded({"key": "AuthorizationKey", "value": SECRET})
    answer = b'{"a":' * 500 + b"1" + b"}" * 500

    assert STANDARD.masked_result(action, sent, answer).count(b"{") <= 66


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "value", "variable", "name", "setVariableData", "attributeValue", "location", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(sorted({action.name for action in ACTIONS})), JSON)
def test_whatever_a_payload_is_it_can_be_masked_and_once_is_enough(action, payload):
    sent = encoded(payload)
    shown = STANDARD.masked_call(action, sent)

    assert STANDARD.masked_call(action, shown) == shown
    STANDARD.masked_result(action, sent, sent)
