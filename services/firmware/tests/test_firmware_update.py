"""One update: whatever a station says on the way, the version with which it boots tells what came of it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from chargebus_firmware.metrics import Metrics
from chargebus_firmware.updates.domain import telling, timing
from chargebus_firmware.updates.domain.timing import Patience
from chargebus_firmware.updates.domain.update import RETRIED, STEPS_KEPT, Firmware, Plan, Update
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.metrics import CallbackOptions

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PATIENCE = Patience(silent_s=4 * 3600, boot_s=1800, work_s=24 * 3600)
NEW, OLD = "2.0.0", "1.0.0"
WAITING = Update(UUID(int=1), "CS-1", 7, Firmware(NEW, "https://x/f"), NOW, NOW + timedelta(days=1))
ASKED = telling.asked(WAITING, OLD, NOW)
AGAIN = telling.asked(WAITING, NEW, NOW)
"""It has the version already."""
ROAD = ["Downloading", "Downloaded", "Installing", "Installed"]
STATUSES = [
    "DownloadScheduled",
    "Downloading",
    "DownloadPaused",
    "Downloaded",
    "SignatureVerified",
    "InstallScheduled",
    "Installing",
    "InstallRebooting",
    "Installed",
    "Idle",
    "DownloadFailed",
    "InvalidSignature",
    "InstallVerificationFailed",
    "InstallationFailed",
    "SomethingElse",
]


def at(minutes):
    return NOW + timedelta(minutes=minutes)


def told(update, *statuses, begin=1):
    for minute, status in enumerate(statuses, begin):
        update = telling.told(update, status, at(minute))
    return update


def boot(update, version, minute, *, by_itself=True):
    return telling.booted(update, version, at(minute), by_itself=by_itself)


def in_the_end(update):
    """Return what comes of it when nothing more is heard."""
    for _ in range(4):
        due = timing.look_at(update, PATIENCE)
        if due is None:
            return update
        if timing.probe(update, due, PATIENCE):
            update = telling.probed(update, due, "it")
        update = timing.after(update, due, PATIENCE)
    return update


def outcome(update):
    return update.verdict, update.reason


def test_an_update_that_goes_its_way_succeeds_with_the_boot():
    on_its_way = told(telling.answered(ASKED, "Accepted", at(0)), *ROAD)

    assert outcome(on_its_way) == ("", "")
    assert outcome(boot(on_its_way, NEW, 9)) == ("succeeded", "")


def test_installed_without_the_new_version_is_a_failure():
    assert outcome(boot(told(ASKED, *ROAD), OLD, 9)) == ("failed", "wrong_version")


def test_the_new_version_without_installed_is_a_success():
    assert outcome(boot(told(ASKED, "Downloading"), NEW, 9)) == ("succeeded", "")
    assert outcome(boot(ASKED, NEW, 9)) == ("succeeded", "")


@given(st.lists(st.sampled_from(STATUSES), max_size=12), st.lists(st.integers(0, 30), min_size=12, max_size=12))
def test_whatever_is_said_in_whatever_order_the_boot_with_the_new_version_is_a_success(statuses, minutes):
    update = ASKED
    for status, minute in zip(statuses, minutes, strict=False):
        update = telling.told(update, status, at(minute))

    assert outcome(boot(update, NEW, 31)) == ("succeeded", "")


@given(st.lists(st.sampled_from(STATUSES), max_size=12), st.data())
def test_the_boot_counts_wherever_it_comes_among_what_is_said(statuses, data):
    place = data.draw(st.integers(0, len(statuses)))
    update = told(ASKED, *statuses[:place])
    update = boot(update, NEW, place + 1)
    update = told(update, *statuses[place:], begin=place + 2)

    assert outcome(update) == ("succeeded", "")


@given(st.permutations(STATUSES), st.integers(0, len(STATUSES)), st.lists(st.sampled_from(STATUSES), max_size=5))
def test_a_boot_with_the_old_version_after_all_that_was_said_is_never_a_success(statuses, lost, again):
    update = boot(told(ASKED, *statuses[lost:], *again), OLD, 60)

    assert in_the_end(update).verdict == "failed"


@given(st.lists(st.sampled_from(STATUSES), max_size=12))
def test_without_any_boot_it_is_never_a_success_and_it_always_ends(statuses):
    assert in_the_end(told(ASKED, *statuses)).verdict == "failed"


@given(st.lists(st.sampled_from(STATUSES), max_size=12))
def test_what_comes_after_a_success_changes_nothing(statuses):
    done = boot(told(ASKED, *ROAD), NEW, 9)
    after = boot(told(done, *statuses, begin=10), OLD, 40)

    assert outcome(after) == ("succeeded", "")
    assert after.changes == done.changes


@given(st.lists(st.sampled_from(STATUSES), max_size=12))
def test_each_status_said_twice_says_no_more_than_once(statuses):
    once, twice = told(ASKED, *statuses), ASKED
    for minute, status in enumerate(statuses, 1):
        twice = telling.told(telling.told(twice, status, at(minute)), status, at(minute))

    assert (once.state, once.reason, once.changes) == (twice.state, twice.reason, twice.changes)


def test_a_boot_on_the_way_with_the_old_version_ends_nothing():
    update = boot(told(ASKED, "Downloading"), OLD, 3)

    assert outcome(update) == ("", "")
    assert outcome(boot(told(update, "Installing", "Installed", begin=4), NEW, 9)) == ("succeeded", "")


def test_installed_that_is_said_after_the_boot_with_the_old_version_is_a_failure_in_the_end():
    update = told(boot(told(ASKED, "Installing"), OLD, 3), "Installed", begin=4)

    assert outcome(update) == ("", "")
    assert outcome(in_the_end(update)) == ("failed", "wrong_version")


def test_a_failure_is_taken_back_by_the_new_version():
    assert outcome(boot(told(ASKED, "InstallationFailed"), NEW, 9)) == ("succeeded", "")
    assert outcome(boot(boot(told(ASKED, *ROAD), OLD, 8), NEW, 9)) == ("succeeded", "")
    assert outcome(boot(in_the_end(told(ASKED, "Downloading")), NEW, 24 * 60)) == ("succeeded", "")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("DownloadFailed", "download_failed"),
        ("InvalidSignature", "invalid_signature"),
        ("InstallVerificationFailed", "verification_failed"),
        ("InstallationFailed", "installation_failed"),
    ],
)
def test_what_the_station_says_to_have_failed_has_failed(status, reason):
    assert outcome(told(ASKED, "Downloading", status)) == ("failed", reason)


def test_a_failure_of_what_is_done_already_comes_late_and_changes_nothing():
    assert outcome(told(ASKED, "Downloading", "Installing", "DownloadFailed")) == ("", "")


def test_a_station_that_gets_further_after_a_failure_goes_on():
    assert told(ASKED, "Downloading", "DownloadFailed", "Downloaded").state == "downloaded"
    assert told(ASKED, "Downloading", "DownloadFailed", "Downloading").state == "failed"


def test_what_is_behind_is_noted_and_changes_nothing():
    update = told(ASKED, "Installing", "Downloading")

    assert update.state == "installing"
    assert [step.what for step in update.history] == ["asked", "Installing", "Downloading"]


# The same version again


def test_of_the_same_version_a_boot_after_installed_is_a_success():
    assert outcome(boot(told(AGAIN, *ROAD), NEW, 9)) == ("succeeded", "")


def test_of_the_same_version_a_boot_before_anything_was_installed_tells_nothing():
    update = boot(told(AGAIN, "Downloading"), NEW, 3)

    assert outcome(update) == ("", "")
    assert outcome(in_the_end(update)) == ("failed", "silent")


def test_of_the_same_version_installed_without_a_boot_is_no_success():
    assert outcome(in_the_end(told(AGAIN, *ROAD))) == ("failed", "unconfirmed")


def test_of_the_same_version_installed_may_be_said_after_the_boot():
    assert outcome(told(boot(told(AGAIN, "Installing"), NEW, 3), "Installed", begin=4)) == ("succeeded", "")


def test_of_the_same_version_to_be_told_the_version_on_request_is_no_boot():
    assert outcome(boot(told(AGAIN, *ROAD), NEW, 9, by_itself=False)) == ("", "")


# Answers


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Rejected", "rejected"),
        ("InvalidCertificate", "invalid_certificate"),
        ("RevokedCertificate", "revoked_certificate"),
    ],
)
def test_a_station_that_says_no_has_failed(answer, reason):
    update = telling.answered(ASKED, answer, at(0), "why")

    assert (*outcome(update), update.detail) == ("failed", reason, "why")


@pytest.mark.parametrize("answer", ["", "Accepted", "AcceptedCanceled", "accepted", "Perhaps"])
def test_any_other_answer_is_a_yes(answer):
    assert telling.answered(ASKED, answer, at(0)).state == "accepted"


def test_that_another_update_was_given_up_for_it_is_shown():
    assert "another update" in telling.answered(ASKED, "AcceptedCanceled", at(0)).history[-1].detail


def test_an_answer_that_comes_after_the_first_status_does_not_set_it_back():
    assert telling.answered(told(ASKED, "Downloading"), "Accepted", at(2)).state == "downloading"


def test_a_refusal_says_whether_the_message_is_known():
    assert outcome(telling.refused(ASKED, "NotImplemented", at(0), "")) == ("failed", "not_supported")
    assert outcome(telling.refused(ASKED, "InternalError", at(0), "")) == ("failed", "refused")


def test_only_a_station_that_knows_no_signed_firmware_is_asked_without_signature():
    assert telling.is_to_do_without_signature(ASKED, "SignedUpdateFirmware", "NotImplemented")
    assert not telling.is_to_do_without_signature(ASKED, "SignedUpdateFirmware", "InternalError")
    assert not telling.is_to_do_without_signature(ASKED, "UpdateFirmware", "NotImplemented")

    again = telling.to_be_asked_unsigned(ASKED, at(0))
    assert (again.state, again.unsigned, timing.look_at(again, PATIENCE)) == ("waiting", True, at(0))


def test_a_station_that_was_never_reached_is_waited_for_again():
    away = telling.not_reached(ASKED, at(0), "gone")

    assert away.state == "waiting"
    assert timing.look_at(away, PATIENCE) == at(0) + telling.AGAIN_AFTER
    assert outcome(timing.after(away, WAITING.give_up_at, PATIENCE)) == ("failed", "not_reached")


def test_when_a_station_of_a_campaign_that_was_never_reached_is_asked_again_is_for_the_campaign_to_say():
    of_campaign = msgspec.structs.replace(ASKED, campaign_id="campaign")

    away = telling.not_reached(of_campaign, at(0), "gone")

    assert (outcome(away), away.detail, timing.look_at(away, PATIENCE)) == (("failed", "not_reached"), "gone", None)


def test_a_station_that_did_not_answer_may_be_at_work():
    update = telling.unanswered(ASKED, at(1), "")

    assert update.state == "requested"
    assert timing.may_be_at_work(update, at(2), PATIENCE)


# Which statuses are of it


def test_a_status_with_a_number_is_of_the_update_of_that_number():
    assert telling.is_of(ASKED, 7, at(-60))
    assert not telling.is_of(ASKED, 8, at(1))


def test_a_status_without_a_number_is_of_an_update_that_is_not_younger():
    assert telling.is_of(ASKED, None, at(1))
    assert not telling.is_of(ASKED, None, at(-1))
    assert not telling.is_of(WAITING, None, at(1))


def test_a_boot_from_before_the_request_tells_nothing():
    assert boot(ASKED, NEW, -1) == ASKED


def test_another_station_under_the_identity_ends_it():
    assert outcome(telling.replaced(ASKED, at(1))) == ("failed", "replaced")


# What time does


def test_a_station_that_is_silent_is_asked_how_it_is_and_then_given_up():
    update = told(ASKED, "Downloading", begin=0)
    half = timing.look_at(update, PATIENCE)

    assert half == at(120)
    assert timing.probe(update, half, PATIENCE) == "FirmwareStatusNotification"
    probed = telling.probed(update, half, "it")
    assert timing.probe(probed, half, PATIENCE) is None
    assert timing.look_at(probed, PATIENCE) == at(240)
    assert outcome(timing.after(probed, at(239), PATIENCE)) == ("", "")
    assert outcome(timing.after(probed, at(240), PATIENCE)) == ("failed", "silent")


def test_a_station_that_does_not_boot_is_asked_for_its_version():
    update = told(ASKED, *ROAD)
    half = timing.look_at(update, PATIENCE)

    assert timing.probe(update, half, PATIENCE) == "BootNotification"
    assert outcome(boot(update, NEW, 30, by_itself=False)) == ("succeeded", "")
    still = boot(telling.probed(update, half, "it"), OLD, 30, by_itself=False)
    assert outcome(still) == ("", "")
    assert outcome(in_the_end(still)) == ("failed", "wrong_version")


def test_silence_before_it_is_to_begin_means_nothing():
    tomorrow = NOW + timedelta(days=1)
    update = telling.asked(
        Update(UUID(int=1), "CS-1", 7, Firmware(NEW), NOW, tomorrow, Plan(retrieve_at=tomorrow)), OLD, NOW
    )

    assert timing.due_at(update, PATIENCE) == tomorrow + timedelta(hours=4)


def test_a_station_that_says_that_it_is_idle_is_not_waited_for_as_long():
    assert timing.due_at(told(ASKED, "Downloading", "Idle"), PATIENCE) == at(2) + timedelta(seconds=1800)


@pytest.mark.parametrize("status", ["InstallScheduled", "Installing", "InstallRebooting"])
def test_one_that_was_given_up_while_it_installed_may_be_at_it_still(status):
    silent = in_the_end(told(ASKED, status))
    ended_at = silent.ended_at

    assert silent.verdict == "failed"
    assert timing.may_be_at_work(silent, ended_at, PATIENCE)
    assert not timing.may_be_at_work(silent, ended_at + timedelta(hours=24), PATIENCE)
    assert not timing.may_be_at_work(telling.told(silent, "Idle", ended_at), ended_at, PATIENCE)
    booted = telling.booted(silent, OLD, ended_at, by_itself=True)
    assert not timing.may_be_at_work(booted, ended_at, PATIENCE)


@pytest.mark.parametrize("status", ["DownloadFailed", "InstallationFailed", "Downloading"])
def test_one_that_failed_or_did_not_begin_to_install_is_at_work_no_more(status):
    ended = in_the_end(told(ASKED, status))

    assert not timing.may_be_at_work(ended, ended.ended_at, PATIENCE)


# Its history


def test_what_is_said_again_and_again_is_one_step():
    update = told(ASKED, *["Downloading"] * 50)

    assert [(step.what, step.times) for step in update.history] == [("asked", 1), ("Downloading", 50)]


def test_a_history_is_bounded():
    assert len(told(ASKED, *["Downloading", "DownloadPaused"] * STEPS_KEPT).history) == STEPS_KEPT


def test_of_open_updates_each_state_is_counted_until_there_are_none():
    metrics = Metrics()
    metrics.count_open({"waiting": 2, "installing": 1})
    metrics.count_open({"installing": 3})

    observed = {each.attributes["state"]: each.value for each in metrics._observe_open(CallbackOptions())}

    assert observed == {"waiting": 0, "installing": 3}


def test_one_of_a_campaign_whose_station_has_left_before_it_was_asked_may_be_tried_again():
    left = telling.left(msgspec.structs.replace(WAITING, campaign_id="c"), NOW, "It charges.")

    assert (left.state, left.reason, left.reason in RETRIED) == ("failed", "not_reached", True)


@pytest.mark.parametrize(
    ("verdict", "reason", "may_be_fetched"),
    [
        ("", "", True),
        ("succeeded", "", False),
        ("cancelled", "by_operator", False),
        ("failed", "invalid_signature", False),
        ("failed", "download_failed", True),
        ("failed", "silent", True),
    ],
)
def test_a_file_may_be_fetched_until_the_update_is_over_and_the_station_goes_on_no_more(
    verdict, reason, may_be_fetched
):
    update = msgspec.structs.replace(WAITING, verdict=verdict, reason=reason)

    assert update.may_be_fetched == may_be_fetched
