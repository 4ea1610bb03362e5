"""What becomes of a log that a station was asked for, whatever the station says and sends."""

from datetime import UTC, datetime, timedelta

import pytest
from chargebus_firmware.logs.domain import log as domain
from chargebus_firmware.logs.domain.log import Arrival, Log, Patience, Reply, Wanted
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PATIENCE = Patience(file_s=3600, late_s=3600, said_s=120, stalled_s=60, keep_s=86400, forget_s=86400)
ARRIVAL = Arrival("http", "diag.zip")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def asked() -> Log:
    return domain.asked(Log(7, "CS-1", "logs/k", Wanted("diagnostics"), NOW, at(PATIENCE.file_s)))


def accepted() -> Log:
    return domain.answered(asked(), Reply("accepted", "diag.zip"), at(1))


def receiving(log: Log, when: float = 10) -> Log:
    return domain.began(log, ARRIVAL, at(when), PATIENCE)


def received(log: Log, when: float = 20) -> Log:
    going = receiving(log, when - 1)
    return domain.completed(going, going.uploads[-1].number, 100, "aa", at(when))


def piece(log: Log, size: int = 50, when: float = 20) -> Log:
    going = receiving(log, when - 1)
    number = going.uploads[-1].number
    return domain.broke_off(domain.went_on(going, number, size, at(when)), number, "broke_off", at(when))


def test_N01_a_log_that_is_told_of_and_sent_is_received():
    log = domain.told(accepted(), "Uploading", at(2))
    assert (log.state, log.answered_name) == ("uploading", "diag.zip")

    log = domain.told(received(log), "Uploaded", at(30))

    assert (log.state, log.reason, log.shown.size, log.ended_at) == ("received", "", 100, at(20))
    assert [step.what for step in log.steps] == [
        "asked",
        "answered: accepted",
        "status: Uploading",
        "upload 1 began",
        "upload 1 complete",
        "status: Uploaded",
    ]


def test_a_file_makes_it_received_without_any_status_or_answer():
    assert received(asked()).state == "received"


@pytest.mark.parametrize(
    "status", ["UploadFailed", "UploadFailure", "BadMessage", "AcceptedCanceled", "Uploading", "X"]
)
def test_nothing_that_is_said_takes_away_what_was_received(status):
    log = received(accepted())

    assert domain.told(log, status, at(30)).state == "received"
    assert domain.answered(log, Reply("rejected"), at(31)).state == "received"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("UploadFailed", "upload_failed"),
        ("UploadFailure", "upload_failed"),
        ("BadMessage", "bad_message"),
        ("NotSupportedOperation", "not_supported"),
        ("PermissionDenied", "permission_denied"),
    ],
)
def test_a_failure_ends_it_until_the_station_goes_on(status, reason):
    log = domain.told(domain.told(accepted(), "Uploading", at(2)), status, at(5))
    assert (log.state, log.reason, log.ended_at) == ("failed", reason, at(5))

    again = domain.told(log, "Uploading", at(60))

    assert (again.state, again.reason, again.is_open) == ("uploading", "", True)
    assert received(again, 90).state == "received"


def test_a_status_that_is_repeated_is_noted_once():
    log = domain.told(accepted(), "Uploading", at(2))

    again = domain.told(log, "Uploading", at(3))

    assert (len(again.steps), again.status_at) == (len(log.steps), at(3))


def test_uploading_after_uploaded_takes_nothing_back():
    log = domain.told(domain.told(accepted(), "Uploaded", at(5)), "Uploading", at(6))

    assert domain.after(log, at(5 + PATIENCE.said_s), PATIENCE).reason == "not_received"


def test_a_station_that_says_uploaded_without_a_file_is_found_out():
    log = domain.told(accepted(), "Uploaded", at(5))
    assert log.is_open
    assert domain.due_at(log, PATIENCE) == at(5 + PATIENCE.said_s)

    log = domain.after(log, at(5 + PATIENCE.said_s), PATIENCE)

    assert (log.state, log.reason) == ("failed", "not_received")


def test_what_never_arrives_is_given_up_and_taken_all_the_same_when_it_comes_late():
    log = domain.after(accepted(), at(PATIENCE.file_s - 1), PATIENCE)
    assert log.is_open

    log = domain.after(log, at(PATIENCE.file_s), PATIENCE)
    assert (log.state, log.reason) == ("failed", "silent")

    log = received(log, PATIENCE.file_s + 60)
    assert (log.state, log.reason, log.shown.late) == ("received", "", True)


def test_an_upload_that_breaks_off_is_a_piece_and_the_next_one_makes_it_whole():
    log = piece(accepted())
    assert (log.state, log.is_open, log.shown.size, log.shown.state) == ("partial", True, 50, "partial")

    log = received(log, 60)

    assert (log.state, log.shown.number, len(log.uploads)) == ("received", 2, 2)


def test_a_piece_that_nothing_follows_stays_a_piece():
    log = domain.after(piece(accepted()), at(PATIENCE.file_s), PATIENCE)

    assert (log.state, log.reason, log.is_open, log.shown.size) == ("partial", "silent", False, 50)


def test_a_failure_after_a_piece_leaves_the_piece():
    assert (domain.told(piece(accepted()), "UploadFailure", at(30)).state) == "partial"
    going = domain.told(domain.went_on(receiving(accepted()), 1, 50, at(11)), "UploadFailure", at(12))
    log = domain.broke_off(going, 1, "broke_off", at(13))
    assert (log.state, log.reason, log.is_open) == ("partial", "upload_failed", False)


def test_nothing_of_an_upload_that_broke_off_at_once_is_shown():
    log = piece(accepted(), size=0)

    assert (log.state, log.shown) == ("accepted", None)


def test_a_second_file_is_shown_and_the_first_stays():
    log = receiving(received(accepted()), 40)

    assert (log.state, log.shown.number) == ("received", 1)
    assert [(each.number, each.state, each.reason) for each in log.uploads] == [
        (1, "complete", ""),
        (2, "repeated", "taken_already"),
    ]
    assert domain.refusal(log) == "taken_already"


def test_of_two_files_at_the_same_time_the_first_that_is_whole_stays():
    log = receiving(receiving(accepted()), 11)
    log = domain.completed(log, 2, 70, "bb", at(12))
    log = domain.completed(log, 1, 100, "aa", at(13))

    assert (log.state, log.shown.number, log.shown.size) == ("received", 2, 70)
    assert log.upload(1).state == "repeated"


def test_an_upload_of_which_nothing_more_is_heard_is_a_piece():
    log = domain.went_on(receiving(accepted()), 1, 30, at(12))
    assert domain.due_at(log, PATIENCE) == at(12 + PATIENCE.stalled_s)

    log = domain.after(log, at(12 + PATIENCE.stalled_s), PATIENCE)

    assert (log.state, log.uploads[0].state, log.uploads[0].reason, log.is_open) == (
        "partial",
        "partial",
        "stalled",
        True,
    )
    assert received(log, 200).state == "received"


def test_a_file_that_is_being_received_is_not_given_up():
    log = domain.went_on(receiving(accepted(), PATIENCE.file_s - 1), 1, 30, at(PATIENCE.file_s + 10))

    assert domain.after(log, at(PATIENCE.file_s + 11), PATIENCE).is_open


def test_an_upload_that_is_refused_leaves_nothing_and_the_log_open():
    log = domain.refused(domain.went_on(receiving(accepted()), 1, 30, at(12)), 1, "disk_full", "no room", at(13))

    assert (log.state, log.is_open, log.detail, log.shown) == ("accepted", True, "no room", None)
    assert received(log, 60).state == "received"


def test_a_station_may_try_only_so_often():
    log = accepted()
    for number in range(domain.MOST_UPLOADS):
        log = piece(log, when=20 + 2 * number)

    for number in range(3):
        log = receiving(log, 100 + number)

    assert domain.refusal(log) == "too_many"
    assert [each.reason for each in log.uploads[-2:]] == ["broke_off", "too_many"]
    assert len(log.uploads) == domain.MOST_UPLOADS + 1


def test_a_log_that_an_operator_gives_up_takes_no_file_any_more():
    log = domain.cancelled(receiving(accepted()), at(12))
    assert domain.refusal(log) == "cancelled"

    log = domain.completed(log, 1, 100, "aa", at(13))

    assert (log.state, log.shown, log.uploads[0].state) == ("cancelled", None, "refused")
    assert domain.told(log, "Uploaded", at(14)).state == "cancelled"


def test_N01_FR_12_a_log_that_the_station_gives_up_for_a_later_one_is_superseded():
    assert domain.superseded(accepted(), at(5)).state == "superseded"
    log = domain.told(accepted(), "AcceptedCanceled", at(5))
    assert (log.state, log.is_open) == ("superseded", False)
    assert domain.told(log, "UploadFailure", at(6)).state == "superseded"
    assert domain.superseded(received(accepted()), at(30)).state == "received"


def test_what_the_station_answers_decides_while_it_has_not_begun():
    assert domain.answered(asked(), Reply("no_log"), at(1)).state == "no_log"
    rejected = domain.answered(asked(), Reply("rejected", detail="Busy"), at(1))
    assert (rejected.state, rejected.reason, rejected.detail) == ("failed", "rejected", "Busy")
    begun = domain.told(asked(), "Uploading", at(1))
    assert domain.answered(begun, Reply("rejected"), at(2)).state == "uploading"


@pytest.mark.parametrize(
    ("outcome", "state", "reason"),
    [
        ("refused", "failed", "not_supported"),
        ("undeliverable", "failed", "not_reached"),
        ("expired", "failed", "not_reached"),
        ("timed_out", "requested", ""),
    ],
)
def test_without_an_answer_only_a_request_that_timed_out_is_waited_for(outcome, state, reason):
    log = domain.not_answered(asked(), outcome, at(1), "why")

    assert (log.state, log.reason) == (state, reason)
    assert received(log).state == "received"


def test_a_status_from_before_the_request_is_not_of_it():
    assert not domain.is_of(asked(), at(-60))
    assert domain.is_of(asked(), at(0.5))


def test_a_file_is_kept_for_its_time_and_the_request_is_shown_longer():
    log = received(accepted())
    gone = domain.expired(log, log.expires_at)

    assert (gone.state, gone.shown, gone.expires_at) == ("expired", None, None)
    assert not domain.is_forgotten(log, at(10 * 86400), PATIENCE)
    assert not domain.is_forgotten(gone, at(86000), PATIENCE)
    assert domain.is_forgotten(gone, at(2 * 86400 + 60), PATIENCE)
    assert domain.refusal(gone) == "taken_already"


def test_a_piece_is_kept_for_its_time_too():
    log = domain.expired(piece(accepted()), at(90000))

    assert (log.shown, log.uploads[0].state, log.uploads[0].size) == (None, "partial", 0)


STATUSES = st.sampled_from(["Idle", "Uploading", "Uploaded", "UploadFailure", "AcceptedCanceled", "PermissionDenied"])
FACTS = st.one_of(
    st.tuples(st.just("told"), STATUSES),
    st.tuples(st.just("answered"), st.sampled_from(["accepted", "rejected", "no_log", "replaces"])),
    st.tuples(st.just("piece"), st.integers(0, 100)),
    st.tuples(st.just("time"), st.integers(1, 8000)),
)


@given(st.lists(FACTS, max_size=8), st.lists(FACTS, max_size=8))
def test_once_a_file_is_received_it_is_the_log_whatever_else_happens(before, after):
    """Unless an operator gave it up, and as often as a station may try."""
    log, seconds = asked(), 1.0
    for place, (what, value) in enumerate([*before, ("file", 0), *after]):
        seconds += value if what == "time" else 1
        if what == "told":
            log = domain.told(log, value, at(seconds))
        elif what == "answered":
            log = domain.answered(log, Reply(value), at(seconds))
        elif what == "piece":
            log = piece(log, value, seconds) if not domain.refusal(log) else receiving(log, seconds)
        elif what == "file":
            log = received(log, seconds)
        else:
            log = domain.after(log, at(seconds), PATIENCE)
        assert log.is_open == (log.ended_at is None)
        assert len(log.steps) <= domain.MOST_STEPS
        if place >= len(before):
            assert (log.state, log.shown.state) == ("received", "complete")
