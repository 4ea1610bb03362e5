"""What a boot is answered, and what it leaves behind."""

from datetime import UTC, datetime

import msgspec
import pytest
from chargebus_device.boots.domain import Boot, BootReport, LastBoot, Rules, Station, completed, decide_boot

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
BOOT = Boot(vendor="Acme", model="One", serial_number="S1", firmware_version="1.2", reason="PowerUp")
REPORT = BootReport("CS-1", BOOT, version="2.0.1", epoch=7, received_at=NOW)
RULES = Rules("refuse", heartbeat_s=300, retry_s=60)


def station(registration):
    return Station("CS-1", registration)


@pytest.mark.parametrize(("registration", "interval_s"), [("accepted", 300), ("pending", 60), ("rejected", 60)])
def test_B01_FR_02_a_known_station_is_told_its_registration_and_the_interval_that_goes_with_it(
    registration, interval_s
):
    decision = decide_boot(station(registration), REPORT, RULES, NOW)

    assert decision.answer.registration == registration
    assert decision.answer.interval_s == interval_s
    assert decision.answer.now == NOW
    assert not decision.created


def test_B03_an_unknown_station_is_rejected_and_not_created_while_nobody_may_come_in():
    decision = decide_boot(None, REPORT, RULES, NOW)

    assert decision.answer.registration == "rejected"
    assert decision.station is None
    assert not decision.created
    assert decision.booted is None


@pytest.mark.parametrize(("policy", "registration"), [("accept", "accepted"), ("pending", "pending")])
def test_an_unknown_station_is_created_with_the_status_of_the_onboarding_policy(policy, registration):
    decision = decide_boot(None, REPORT, msgspec.structs.replace(RULES, unknown_stations=policy), NOW)

    assert decision.created
    assert decision.answer.registration == registration
    assert decision.station == Station("CS-1", registration, LastBoot(BOOT, 7, registration))


def test_the_onboarding_policy_does_not_touch_a_registered_station():
    decision = decide_boot(station("rejected"), REPORT, msgspec.structs.replace(RULES, unknown_stations="accept"), NOW)

    assert decision.answer.registration == "rejected"


def test_a_boot_is_published_with_what_the_station_said_and_was_told():
    booted = decide_boot(station("accepted"), REPORT, RULES, NOW).booted

    assert booted is not None
    assert booted.registration == "accepted"
    assert (booted.vendor, booted.model, booted.serial_number) == ("Acme", "One", "S1")
    assert (booted.version, booted.reason, booted.firmware_version) == ("2.0.1", "PowerUp", "1.2")


def test_a_boot_sent_again_is_answered_again_and_published_once():
    first = decide_boot(station("accepted"), REPORT, RULES, NOW)
    second = decide_boot(first.station, REPORT, RULES, NOW)

    assert second.answer == first.answer
    assert second.station == first.station
    assert second.booted is None


def test_the_same_boot_on_a_new_connection_is_published():
    first = decide_boot(station("accepted"), REPORT, RULES, NOW)
    second = decide_boot(first.station, msgspec.structs.replace(REPORT, epoch=8), RULES, NOW)

    assert second.booted is not None


def test_a_station_that_was_pending_is_published_anew_when_it_is_told_that_it_is_accepted():
    pending = decide_boot(station("pending"), REPORT, RULES, NOW).station
    assert pending is not None

    decision = decide_boot(msgspec.structs.replace(pending, registration="accepted"), REPORT, RULES, NOW)

    assert decision.answer.registration == "accepted"
    assert decision.booted is not None


SILENT = Boot(vendor="", model="")


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (SILENT, msgspec.structs.replace(BOOT, reason="")),
        (Boot(vendor="Acme", model=""), Boot(vendor="Acme", model="One")),
        (Boot(vendor="Acme", model="Two"), Boot(vendor="Acme", model="Two")),
        (
            Boot(vendor="", model="", firmware_version="1.3"),
            msgspec.structs.replace(BOOT, reason="", firmware_version="1.3"),
        ),
    ],
)
def test_a_boot_that_does_not_say_the_make_does_not_forget_it(said, known):
    report = msgspec.structs.replace(REPORT, boot=said)
    booted_before = Station("CS-1", "accepted", LastBoot(BOOT, 7, "accepted"))

    assert completed(booted_before, report).boot == known
    assert completed(station("accepted"), report).boot == completed(None, report).boot == said


@pytest.mark.parametrize(
    ("said", "replaced"),
    [
        ({}, False),
        ({"serial_number": "S2"}, True),
        ({"serial_number": "S2", "vendor": "Other"}, True),
        ({"model": "Two"}, False),  # the same serial number: a new firmware writes its model otherwise
        ({"serial_number": ""}, False),
        ({"serial_number": "", "model": "Two"}, True),
        ({"serial_number": "", "vendor": "Other"}, True),
        ({"firmware_version": "2.0"}, False),
    ],
)
def test_a_station_with_another_serial_number_or_else_another_make_is_another(said, replaced):
    first = decide_boot(station("accepted"), REPORT, RULES, NOW)
    boot = msgspec.structs.replace(BOOT, **said)
    second = decide_boot(first.station, msgspec.structs.replace(REPORT, boot=boot, epoch=8), RULES, NOW)

    assert first.booted is not None
    assert second.booted is not None
    assert (first.booted.replaced, second.booted.replaced) == (False, replaced)
