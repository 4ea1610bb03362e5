"""What a campaign decides: waves, windows, health, thresholds; pure."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from chargebus_firmware.campaigns.domain.campaign import Campaign, Member, Rules, Selector, Share, Tally
from chargebus_firmware.campaigns.domain.decide import Seen, at_work, decide, not_begun, resumed
from chargebus_firmware.campaigns.domain.health import checked
from chargebus_firmware.campaigns.domain.waves import Candidate, Misfit, listed, sizes_of
from chargebus_firmware.campaigns.domain.windows import Window, objection, opens_at
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)  # a Wednesday
DAY_S = 86400.0


class Facts(msgspec.Struct, frozen=True):
    """A station that is well."""

    firmware_version: str = "1.0.0"
    time_zone: str = "Europe/Amsterdam"
    removed: bool = False
    online: bool = True
    faulted: bool = False
    open_sessions: int = 0
    last_ended_at: datetime | None = None


class Ended(msgspec.Struct, frozen=True):
    """An update that has ended."""

    verdict: str
    reason: str = ""
    detail: str = ""


RULES = Rules()


def campaign(rules: Rules = RULES, sizes: tuple[int, ...] = (2, 10), **more: object) -> Campaign:
    fixed = Campaign(uuid4(), "spring", "image", "2.0.0", Selector(), rules, sizes, NOW, NOW, NOW)
    return msgspec.structs.replace(fixed, **more)


def member(name: str = "CS-1", state: str = "waiting", **more: object) -> Member:
    values = {"wave": 0, "position": 0, "place": "", "look_at": NOW} | more
    return Member(name, state=state, **values)


def seen(*waiting: tuple[Member, Facts], **more: object) -> Seen:
    return Seen(counts={(0, "waiting"): len(waiting)} | more.pop("counts", {}), waiting=waiting, **more)


def only(decision):
    (one,) = decision.members
    return one


# Waves


@pytest.mark.parametrize(
    ("waves", "total", "sizes"),
    [
        ((Share(count=1), Share(percent=1.0), Share(percent=10.0)), 1000, (1, 10, 100, 889)),
        ((Share(count=1), Share(percent=1.0), Share(percent=10.0)), 7, (1, 1, 1, 4)),
        ((Share(count=1), Share(percent=1.0)), 1, (1,)),
        ((), 5, (5,)),
        ((Share(count=10), Share(percent=50.0)), 4, (4,)),
        ((Share(percent=100.0),), 4, (4,)),
    ],
)
def test_waves_are_as_large_as_given_and_the_rest_is_a_last_one(waves, total, sizes):
    assert sizes_of(waves, total) == sizes


shares = st.one_of(
    st.builds(Share, count=st.integers(1, 50)), st.builds(Share, percent=st.floats(0.01, 100.0, allow_nan=False))
)


@given(st.lists(shares, max_size=6), st.integers(1, 500))
def test_every_station_is_in_one_wave_and_no_wave_is_empty(waves, total):
    stations = [Candidate(f"CS-{number}", "Acme", "One", "1.0.0") for number in range(total)]
    found = listed(stations, lambda _: None, waves, "seed", NOW)

    assert sum(found.sizes) == total == len(found.waiting)
    assert all(found.sizes)
    assert [sum(each.wave == wave for each in found.waiting) for wave in range(len(found.sizes))] == list(found.sizes)
    assert found == listed(reversed(stations), lambda _: None, waves, "seed", NOW)


def test_stations_that_are_connected_come_first_and_those_that_do_not_fit_are_left_out_with_the_reason():
    away = [Candidate(f"A-{n}", "Acme", "One", "1.0.0") for n in range(5)]
    there = [Candidate(f"T-{n}", "Acme", "One", "1.0.0", online=True) for n in range(5)]
    other = Candidate("X", "Other", "One", "1.0.0")
    found = listed(
        [*away, other, *there],
        lambda each: Misfit("unfit", "not for Other") if each.vendor == "Other" else None,
        (Share(count=5),),
        "seed",
        NOW,
    )

    assert {each.station_id[0] for each in found.waiting[:5]} == {"T"}
    (left_out,) = found.skipped
    assert (left_out.station_id, left_out.state, left_out.reason, left_out.detail) == (
        "X",
        "skipped",
        "unfit",
        "not for Other",
    )


# Windows

NIGHT = Window("22:00", "05:00", ("Mon", "Tue", "Wed", "Thu", "Fri"))


@pytest.mark.parametrize(
    ("window", "zone", "now", "opens"),
    [
        (NIGHT, "Europe/Amsterdam", "2026-03-04T12:00", "2026-03-04T21:00"),
        (NIGHT, "Asia/Kolkata", "2026-03-04T12:00", "2026-03-04T16:30"),
        (NIGHT, "", "2026-03-04T12:00", "2026-03-04T22:00"),
        (NIGHT, "Nowhere/Here", "2026-03-04T12:00", "2026-03-04T22:00"),
        (NIGHT, "", "2026-03-04T23:30", "2026-03-04T23:30"),
        (NIGHT, "", "2026-03-05T04:59", "2026-03-05T04:59"),
        (NIGHT, "", "2026-03-05T05:00", "2026-03-05T22:00"),
        (NIGHT, "", "2026-03-07T04:00", "2026-03-07T04:00"),  # Saturday morning is still Friday's window
        (NIGHT, "", "2026-03-07T22:00", "2026-03-09T22:00"),
        (Window("22:00", "05:00", reserve_s=3600), "", "2026-03-05T04:01", "2026-03-05T22:00"),
        (Window("02:30", "03:30", ("Sun",)), "Europe/Amsterdam", "2026-03-28T12:00", "2026-03-29T01:30"),  # skipped
        (Window("02:30", "03:30", ("Sun",)), "Europe/Amsterdam", "2026-10-24T12:00", "2026-10-25T00:30"),  # twice
        (None, "Europe/Amsterdam", "2026-03-04T12:00", "2026-03-04T12:00"),
    ],
)
def test_a_window_opens_in_the_time_zone_of_the_station(window, zone, now, opens):
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert opens_at(window, zone, at) == datetime.fromisoformat(opens).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "wait_s", "says"),
    [
        (Window("22:00", "05:00"), 14 * DAY_S, ""),
        (Window("22:00", "05:00", ()), 14 * DAY_S, "at least one day"),
        (Window("22:00", "22:00"), 14 * DAY_S, "closes when it opens"),
        (Window("22:00", "22:10", reserve_s=600.0), 14 * DAY_S, "not longer than the 600 s"),
        (Window("22:00", "05:00", ("Mon",)), DAY_S, "may never open in time"),
        (Window("22:00", "05:00", ("Mon",)), 7 * DAY_S, ""),
    ],
)
def test_a_window_that_never_opens_is_told(window, wait_s, says):
    assert says in objection(window, wait_s)
    assert bool(objection(window, wait_s)) == bool(says)


# Beginning


def test_a_station_that_is_there_and_idle_begins():
    decision = decide(campaign(), seen((member(), Facts())), NOW)

    assert decision.starts == ("CS-1",)
    assert (only(decision).state, only(decision).attempts) == ("updating", 1)


@pytest.mark.parametrize(
    ("facts", "reason", "again"),
    [
        (Facts(online=False), "offline", NOW + timedelta(minutes=5)),
        (Facts(open_sessions=1), "charging", NOW + timedelta(minutes=5)),
    ],
)
def test_one_that_is_not_is_waited_for(facts, reason, again):
    decision = decide(campaign(), seen((member(), facts)), NOW)

    assert decision.starts == ()
    assert (only(decision).state, only(decision).reason, only(decision).look_at) == ("waiting", reason, again)


def test_one_whose_window_is_closed_waits_until_it_opens():
    rules = Rules(window=NIGHT)
    decision = decide(campaign(rules), seen((member(), Facts())), NOW)

    assert (only(decision).reason, only(decision).look_at) == ("window", datetime(2026, 3, 4, 21, tzinfo=UTC))


@pytest.mark.parametrize(("attempts", "state"), [(0, "skipped"), (2, "failed")])
def test_one_that_is_away_for_too_long_is_given_up(attempts, state):
    late = NOW + timedelta(seconds=Rules().wait_s)
    decision = decide(campaign(), seen((member(attempts=attempts), Facts(online=False))), late)

    assert (only(decision).state, only(decision).reason) == (state, "offline")


def test_one_that_has_the_version_already_is_left_alone_or_checked_if_it_was_tried():
    has_it = Facts(firmware_version="2.0.0")

    assert only(decide(campaign(), seen((member(), has_it)), NOW)).state == "skipped"
    assert only(decide(campaign(), seen((member(attempts=1), has_it)), NOW)).state == "checking"


def test_where_the_same_version_is_to_be_installed_again_to_have_it_keeps_nobody_from_it():
    again = campaign(msgspec.structs.replace(RULES, same_version=True))

    assert only(decide(again, seen((member(), Facts(firmware_version="2.0.0"))), NOW)).state == "updating"
    tried = member(attempts=1)
    assert only(decide(again, seen((tried, Facts(firmware_version="2.0.0"))), NOW)).state == "updating"


def test_no_more_begin_at_once_than_may_in_all_and_at_one_place():
    rules = Rules(parallel=3, parallel_each=2)
    waiting = [(member(f"CS-{n}", place="depot" if n < 4 else "port"), Facts()) for n in range(8)]

    assert decide(campaign(rules), seen(*waiting), NOW).starts == ("CS-0", "CS-1", "CS-4")
    assert decide(campaign(rules), seen(*waiting, updating_at={"port": 2}), NOW).starts == ("CS-0",)
    assert decide(campaign(rules), seen(*waiting, updating_at={"x": 3}), NOW).starts == ()


def test_a_place_is_free_as_soon_as_the_update_of_a_station_there_has_ended():
    ended = [member("CS-1", "updating", place="depot"), member("CS-2", "failed", place="port")]
    updating_at = {"depot": 1, "port": 1, "": 2}

    assert at_work(campaign(Rules(parallel_each=1)), updating_at, []) == (4, ["depot", "port"])
    assert at_work(campaign(Rules(parallel_each=1)), updating_at, ended) == (3, ["port"])


@pytest.mark.parametrize("why", ["offline", "charging"])
def test_one_that_is_not_ready_any_more_when_it_is_to_begin_is_waited_for_as_if_it_had_not_been_tried(why):
    begun = only(decide(campaign(), seen((member(), Facts())), NOW))

    waits = not_begun(campaign(), begun, why, "", NOW)

    assert (begun.state, begun.attempts) == ("updating", 1)
    assert (waits.state, waits.reason, waits.attempts, waits.path) == ("waiting", why, 0, member().path)
    assert waits.look_at > NOW


def test_stations_without_the_label_stand_each_for_itself():
    waiting = [(member(f"CS-{n}"), Facts()) for n in range(5)]

    assert len(decide(campaign(Rules(parallel_each=1)), seen(*waiting), NOW).starts) == 5


@pytest.mark.parametrize("state", ["paused", "stopped"])
def test_nothing_begins_in_a_campaign_that_stands_still(state):
    assert decide(campaign(state=state), seen((member(), Facts())), NOW).members == ()


def test_who_waits_in_a_campaign_that_was_cancelled_is_left_out():
    decision = decide(campaign(state="cancelled", ended_at=NOW), seen((member(), Facts())), NOW)

    assert (only(decision).state, only(decision).reason, decision.next_look_at) == ("skipped", "cancelled", None)


# What came of updates


def after_update(update: Ended, attempts: int = 1, **more: object):
    at_work = member(state="updating", attempts=attempts, began_at=NOW)
    return decide(
        campaign(**more), Seen(counts={(0, "updating"): 1, (0, "waiting"): 1}, ended=[(at_work, update)]), NOW
    )


def test_an_update_that_succeeded_is_checked():
    assert only(after_update(Ended("succeeded"))).state == "checking"


def test_one_that_may_go_better_another_time_is_tried_again_after_longer_and_longer():
    first, second = (only(after_update(Ended("failed", "download_failed"), tries)) for tries in (1, 2))

    assert (first.state, first.look_at - NOW) == ("waiting", timedelta(seconds=900))
    assert (second.state, second.look_at - NOW) == ("waiting", timedelta(seconds=1800))
    assert only(after_update(Ended("failed", "download_failed"), 3)).state == "failed"
    assert only(after_update(Ended("failed", "invalid_signature"), 1)).state == "failed"


def test_an_update_that_an_operator_took_back_is_no_failure():
    assert only(after_update(Ended("cancelled", "by_operator"))).state == "skipped"


# Health


UPDATED = member(state="checking", began_at=NOW - timedelta(hours=1), updated_at=NOW)


@pytest.mark.parametrize(
    ("facts", "state", "reason"),
    [
        (Facts("2.0.0"), "succeeded", ""),
        (Facts("2.0.0", online=False), "failed", "not_back"),
        (Facts("2.0.0", faulted=True), "failed", "faulted"),
        (Facts("1.0.0"), "failed", "changed_version"),
        (Facts("2.0.0", removed=True), "skipped", "removed"),
    ],
)
def test_a_station_is_well_that_is_there_with_the_version_and_no_new_fault(facts, state, reason):
    settled = NOW + timedelta(seconds=2 * Rules().settle_s)
    found = checked(campaign(), UPDATED, facts, settled)

    assert (found.state, found.reason) == (state, reason)


def test_one_that_is_ill_when_it_should_have_settled_has_as_long_again():
    ill = Facts("2.0.0", online=False)
    settled = NOW + timedelta(seconds=Rules().settle_s)

    assert checked(campaign(), UPDATED, ill, NOW).look_at == settled
    assert checked(campaign(), UPDATED, ill, settled).look_at == settled + timedelta(seconds=Rules().settle_s)


def test_a_fault_from_before_is_not_the_updates():
    before = msgspec.structs.replace(UPDATED, faulted_before=True)

    assert checked(campaign(), before, Facts("2.0.0", faulted=True), NOW + timedelta(days=1)).state == "succeeded"


@pytest.mark.parametrize(
    ("charged_h_before", "charged_h_after", "looked_h_after", "state", "reason"),
    [
        (2, None, 2, "checking", ""),
        (2, None, 25, "failed", "not_charging"),
        (2, 1, 2, "succeeded", ""),
        (None, None, 2, "succeeded", ""),
        (100, None, 2, "succeeded", ""),
    ],
)
def test_one_that_charged_vehicles_before_does_so_again_within_the_time(
    charged_h_before, charged_h_after, looked_h_after, state, reason
):
    before = None if charged_h_before is None else NOW - timedelta(hours=charged_h_before)
    after = before if charged_h_after is None else NOW + timedelta(hours=charged_h_after)
    updated = msgspec.structs.replace(UPDATED, charged_before=before)
    found = checked(campaign(), updated, Facts("2.0.0", last_ended_at=after), NOW + timedelta(hours=looked_h_after))

    assert (found.state, found.reason) == (state, reason)


# Stopping, going on


@pytest.mark.parametrize(
    ("size", "failed", "succeeded", "state"),
    [
        (1, 1, 0, "stopped"),
        (10, 1, 0, "stopped"),  # a tenth of the wave
        (1000, 2, 0, "running"),  # too few to tell
        (1000, 3, 0, "stopped"),
        (1000, 3, 28, "running"),  # less than a tenth
        (1000, 3, 27, "stopped"),
    ],
)
def test_a_campaign_stops_where_too_large_a_part_of_a_wave_fails_but_not_for_too_few(size, failed, succeeded, state):
    counts = {(0, "failed"): failed, (0, "succeeded"): succeeded, (0, "waiting"): size - failed - succeeded}
    decision = decide(campaign(sizes=(size, 5)), Seen(counts={**counts, (1, "waiting"): 5}), NOW)

    assert decision.campaign.state == state


def test_one_that_stopped_and_is_resumed_stops_again_only_for_new_failures():
    counts = {(0, "failed"): 3, (0, "waiting"): 97}
    going = resumed(campaign(sizes=(100,), state="stopped"), Tally(3, 3), NOW)

    assert decide(going, Seen(counts=counts), NOW).campaign.state == "running"
    assert decide(going, Seen(counts={**counts, (0, "failed"): 6}), NOW).campaign.state == "stopped"


def test_one_that_stopped_and_was_paused_goes_on_when_it_is_resumed():
    counts = {(0, "failed"): 3, (0, "waiting"): 97}
    going = resumed(campaign(sizes=(100,), state="paused"), Tally(3, 3), NOW)

    assert decide(going, Seen(counts=counts), NOW).campaign.state == "running"


def test_the_next_wave_begins_when_all_of_one_are_through_and_the_pause_is_over():
    through = Seen(counts={(0, "succeeded"): 2, (1, "waiting"): 10})
    ended = decide(campaign(), through, NOW)
    assert (ended.campaign.wave, ended.next_look_at) == (0, NOW + timedelta(minutes=10))

    pause = timedelta(seconds=Rules().pause_s)
    assert decide(ended.campaign, through, NOW + pause - timedelta(seconds=1)).campaign.wave == 0
    went_on = decide(ended.campaign, through, NOW + pause)
    assert (went_on.campaign.wave, went_on.again) == (1, True)


@pytest.mark.parametrize("open_state", ["waiting", "updating", "checking"])
def test_a_wave_is_not_through_while_it_is_not_known_what_comes_of_one_station(open_state):
    counts = {(0, "succeeded"): 1, (0, open_state): 1, (1, "waiting"): 10}
    decision = decide(campaign(rules=Rules(pause_s=0.0)), Seen(counts=counts), NOW)

    assert (decision.campaign.wave, decision.campaign.wave_ended_at) == (0, None)


def test_a_campaign_is_completed_after_its_last_wave():
    decision = decide(campaign(sizes=(2,)), Seen(counts={(0, "succeeded"): 2}), NOW)

    assert (decision.campaign.state, decision.campaign.ended_at, decision.next_look_at) == ("completed", NOW, None)


def test_one_that_is_not_ready_gives_its_place_to_one_of_a_later_wave_that_is():
    later = NOW + timedelta(seconds=Rules().exchange_after_s)
    away, spare = member("A"), member("B", wave=1, position=5)
    decision = decide(
        campaign(),
        Seen(
            counts={(0, "waiting"): 1, (1, "waiting"): 1},
            waiting=[(away, Facts(online=False))],
            spares=[(spare, Facts())],
        ),
        later,
    )

    found = {each.station_id: each for each in decision.members}
    assert (found["A"].wave, found["A"].state, found["B"].wave, found["B"].state) == (1, "waiting", 0, "updating")
    assert decision.starts == ("B",)
