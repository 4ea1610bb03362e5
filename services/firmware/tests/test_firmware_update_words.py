"""In which words each version is asked for an update, and what its answers mean."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from chargebus_commanding import Outcome
from chargebus_firmware.updates.domain import telling
from chargebus_firmware.updates.domain.update import Firmware, Plan, Update
from chargebus_firmware.updates.payload import Request
from chargebus_firmware.updates.routes import outcome_told, probe_forms, update_forms
from chargebus_ocppj.schemas import validate_call

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
URL = "https://files.example.com/two.bin"
PLAIN = Firmware("2.0.0", URL)
SIGNED = Firmware("2.0.0", URL, signing_certificate="PEM", signature="c2ln")
PLAN = Plan(NOW, NOW + timedelta(hours=2), retries=3, retry_interval_s=60)


def update(firmware, plan=PLAN):
    return telling.asked(Update(UUID(int=1), "CS-1", 7, firmware, NOW, NOW + timedelta(days=1), plan), "1.0.0", NOW)


def asked(wanted, location=URL):
    """Return the action and the payload of each version, checked against its schema."""
    found = {}
    for form in update_forms(Request(wanted, location, NOW)):
        for version in form.versions:
            validate_call(version, form.action, form.payload)
            found[version] = form.action, json.loads(form.payload)
    return found


def told(wanted, outcome, action="SignedUpdateFirmware", **more):
    payload, code, unsigned = more.get("payload"), more.get("code", ""), more.get("unsigned", False)
    raw = None if payload is None else msgspec.Raw(json.dumps(payload).encode())
    ended = Outcome("c-1", "CS-1", "update", str(wanted.update_id), outcome, NOW, action, "1.6", raw, code)
    return outcome_told(wanted, ended, unsigned=unsigned)


def test_signed_firmware_is_asked_for_with_certificate_and_signature():
    forms = asked(update(SIGNED))
    firmware = {
        "location": URL,
        "retrieveDateTime": "2026-05-01T12:00:00.000Z",
        "installDateTime": "2026-05-01T14:00:00.000Z",
        "signingCertificate": "PEM",
        "signature": "c2ln",
    }

    assert {version: action for version, (action, _) in forms.items()} == {
        "1.6": "SignedUpdateFirmware",
        "2.0.1": "UpdateFirmware",
        "2.1": "UpdateFirmware",
    }
    assert [payload["firmware"] for _, payload in forms.values()] == [firmware] * 3
    assert [payload["requestId"] for _, payload in forms.values()] == [7] * 3


def test_plain_firmware_is_asked_for_without():
    forms = asked(update(PLAIN))

    assert forms["1.6"] == (
        "UpdateFirmware",
        {"location": URL, "retries": 3, "retrieveDate": "2026-05-01T12:00:00.000Z", "retryInterval": 60},
    )
    assert "signature" not in forms["2.1"][1]["firmware"]


def test_what_is_to_be_fetched_at_once_is_to_be_fetched_now():
    forms = asked(update(PLAIN, Plan()))

    assert (
        forms["1.6"][1]["retrieveDate"] == forms["2.1"][1]["firmware"]["retrieveDateTime"] == "2026-05-01T12:00:00.000Z"
    )
    assert "installDateTime" not in forms["2.1"][1]["firmware"]


def test_an_address_that_is_too_long_for_a_message_is_not_sent_in_it():
    assert set(asked(update(SIGNED), URL + "x" * 512)) == {"2.1"}


@pytest.mark.parametrize("code", ["NotSupported", "NotImplemented"])
def test_a_station_that_knows_no_signed_firmware_does_without_only_where_that_is_allowed(code):
    allowed = told(update(SIGNED), "refused", code=code, unsigned=True)

    assert told(update(SIGNED), "refused", code=code).reason == "not_supported"
    assert allowed.state == "waiting"
    assert asked(telling.asked(allowed, "1.0.0", NOW))["1.6"][0] == "UpdateFirmware"
    assert told(allowed, "refused", "UpdateFirmware", code=code, unsigned=True).state == "waiting"
    again = telling.asked(allowed, "1.0.0", NOW)
    assert told(again, "refused", "UpdateFirmware", code=code, unsigned=True).reason == "not_supported"


@pytest.mark.parametrize(
    ("outcome", "payload", "state"),
    [
        ("answered", {"status": "Accepted"}, "accepted"),
        ("answered", {}, "accepted"),
        ("answered", {"status": "Rejected"}, "failed"),
        ("timed_out", None, "requested"),
        ("undeliverable", None, "waiting"),
        ("expired", None, "waiting"),
        ("refused", None, "failed"),
    ],
)
def test_what_each_outcome_means(outcome, payload, state):
    assert told(update(PLAIN), outcome, "UpdateFirmware", payload=payload).state == state


@pytest.mark.parametrize("probe", ["BootNotification", "FirmwareStatusNotification"])
def test_every_version_can_be_asked_how_it_is(probe):
    for form in probe_forms(probe):
        for version in form.versions:
            validate_call(version, form.action, form.payload)
