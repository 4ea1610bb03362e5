"""The life of alerts, what is grouped, and what is silenced."""

from datetime import UTC, datetime, time, timedelta

import msgspec
import pytest
from chargebus_events.presence import EdgeHeartbeat
from chargebus_events.record import Received
from chargebus_events.topics import EDGES
from chargebus_notification.alerts.domain import parameters as of
from chargebus_notification.alerts.domain.alert import Alert, acknowledged, over, resolved, seen
from chargebus_notification.alerts.domain.grouping import (
    FLEET,
    Candidate,
    LostEdge,
    SiteCount,
    Surroundings,
    place,
    still_stands,
)
from chargebus_notification.alerts.domain.kinds import KINDS
from chargebus_notification.alerts.domain.rule import Rule, Verdict
from chargebus_notification.alerts.domain.silence import Silence, Weekly, silencing
from chargebus_notification.alerts.operations.judging import lost_edges_of
from chargebus_notification.main import _newest
from chargebus_notification.stations.domain.station import Station
from chargebus_runtime.edge_liveness import EdgeLiveness

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RULE = Rule("offline", "station_offline", of.StationOffline(), resolve_after_s=60, reopen_within_s=1800)
ALERT = Alert(
    "a1",
    "offline/CS-1/",
    "a1",
    "notification",
    "offline",
    "station_offline",
    "CS-1",
    "CS-1",
    0,
    "",
    "warning",
    "CS-1 is offline",
    "",
    {"site": "depot"},
    NOW,
    NOW,
    NOW,
)


def later(**parts: float) -> datetime:
    return NOW + timedelta(**parts)


# Flapping


def test_what_is_over_for_a_moment_is_not_resolved():
    step = over(ALERT, RULE, later(minutes=5))

    assert step.alert.is_open
    assert step.look_again_at == later(minutes=6)
    assert over(step.alert, RULE, later(minutes=6)).change == "resolved"


def test_what_comes_back_before_it_is_resolved_counts_up():
    going = over(ALERT, RULE, later(minutes=5)).alert

    step = seen(going, Verdict(later(minutes=5, seconds=30)), RULE, later(minutes=6))

    assert step.change == "damped"
    assert (step.alert.alert_id, step.alert.count, step.alert.returns, step.alert.over_since) == ("a1", 2, 1, None)


def test_what_keeps_coming_back_must_be_over_for_longer_each_time():
    alert, calm = ALERT, []
    for hour in range(7):
        going = over(alert, RULE, later(hours=hour)).alert
        calm.append((over(going, RULE, later(hours=hour)).look_again_at - later(hours=hour)).total_seconds())
        alert = seen(going, Verdict(later(hours=hour, seconds=1)), RULE, later(hours=hour, seconds=1)).alert

    assert calm == [60, 120, 240, 480, 960, 960, 960]


def test_what_comes_back_soon_after_it_was_resolved_is_the_same_alert():
    gone = msgspec.structs.replace(ALERT, state="resolved", resolved_at=later(minutes=10))

    step = seen(gone, Verdict(later(minutes=20)), RULE, later(minutes=30))

    assert (step.change, step.alert.state, step.alert.count, step.alert.first_at) == ("damped", "open", 2, NOW)


def test_what_comes_back_as_it_was_after_it_was_resolved_by_itself_is_the_same_alert():
    gone = over(ALERT, None, later(minutes=10)).alert

    step = seen(gone, Verdict(NOW), RULE, later(minutes=11))

    assert (step.change, step.alert.state, step.alert.count, step.alert.last_at) == ("damped", "open", 2, NOW)
    assert seen(gone, Verdict(NOW), RULE, later(hours=2)) is None


def test_what_comes_back_late_is_another_alert():
    gone = msgspec.structs.replace(ALERT, state="resolved", resolved_at=later(minutes=10))

    assert seen(gone, Verdict(later(hours=2)), RULE, later(hours=2)) is None


def test_what_somebody_took_on_stays_so_when_it_comes_back():
    taken = acknowledged(ALERT, "ann", "on my way", later(minutes=1))
    gone = over(over(taken, RULE, later(minutes=2)).alert, RULE, later(minutes=4)).alert

    step = seen(gone, Verdict(later(minutes=5)), RULE, later(minutes=6))

    assert (gone.state, step.alert.state, step.alert.acknowledged_by) == ("resolved", "acknowledged", "ann")


def test_what_somebody_resolved_stays_so_until_it_happens_anew():
    gone = resolved(ALERT, "ann", "known", later(minutes=1))

    assert seen(gone, Verdict(NOW), RULE, later(minutes=2)).alert == gone
    assert seen(gone, Verdict(later(minutes=3)), RULE, later(minutes=4)).alert.state == "open"


def test_each_time_that_it_happens_counts_once():
    verdict = Verdict(NOW, happened=(NOW, later(minutes=1), later(minutes=2)))

    step = seen(ALERT, verdict, RULE, later(minutes=3))

    assert (step.change, step.alert.count, step.alert.last_at) == ("counted", 3, later(minutes=2))
    assert seen(step.alert, verdict, RULE, later(minutes=4)).change is None


def test_without_its_rule_an_alert_is_over_at_once():
    assert over(ALERT, None, later(minutes=1)).change == "resolved"


# Groups


def candidates(number: int, labels: dict[str, str] | None = None, rule: Rule = RULE) -> list[Candidate]:
    return [
        Candidate(f"offline/CS-{each}/", rule, Station(f"CS-{each}", labels=labels or {}), Verdict(later(seconds=each)))
        for each in range(number)
    ]


def around(fleet: int, went: list[datetime], **more: object) -> Surroundings:
    """Return what goes on around stations, each of which went at another of these times."""
    return Surroundings(fleet, {"offline": [(at, f"CS-{each}") for each, at in enumerate(sorted(went))]}, **more)


def test_many_that_go_within_a_minute_are_one():
    new = candidates(25)

    placed = place(new, around(1000, [each.verdict.since for each in new]))

    assert {group.cause for group in placed.values()} == {"offline//fleet"}
    assert len(placed) == 25


def test_many_parts_of_one_station_are_not_many_stations():
    station = Station("CS-1")
    new = [Candidate(f"offline/CS-1/{each}", RULE, station, Verdict(later(seconds=each))) for each in range(25)]
    began = [(each.verdict.since, "CS-1") for each in new]

    assert place(new, Surroundings(9, {"offline": began})) == {}


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_what_began_in_any_year_may_be_of_many(at):
    new = [msgspec.structs.replace(each, verdict=Verdict(at)) for each in candidates(20)]

    assert len(place(new, around(20, [at] * 20, edges=(LostEdge("edge/3", NOW),)))) == 20


def test_what_began_before_and_after_the_minute_is_not_counted():
    (one,) = candidates(1)
    others = [later(seconds=seconds) for seconds in (-61, -60, *range(-17, 1), 60, 61)]

    (group,) = place([one], around(9, others)).values()

    assert group.title == "20 stations at once: offline"


def test_the_group_of_the_fleet_has_the_labels_of_its_rule():
    rule = msgspec.structs.replace(RULE, labels={"road": "A2"})
    new = candidates(25, rule=rule)

    (group, *_) = place(new, around(1000, [each.verdict.since for each in new])).values()

    assert group.labels == {"road": "A2"}


def test_a_few_that_go_within_a_minute_are_themselves():
    new = candidates(19)

    assert place(new, around(1000, [each.verdict.since for each in new])) == {}


def test_in_a_large_fleet_a_share_must_go():
    new = candidates(60)

    assert place(new, around(10_000, [each.verdict.since for each in new])) == {}


def test_those_that_go_one_after_the_other_are_themselves():
    new = candidates(3)

    assert place(new, around(100, [later(minutes=each * 5) for each in range(100)])) == {}


def test_two_that_go_with_their_edge_are_one():
    new = candidates(2)
    lost = LostEdge("edge/3", later(seconds=-20))

    placed = place(new, around(1000, [each.verdict.since for each in new], edges=(lost,)))

    assert len(placed) == 2
    assert "edge/3" in placed["offline/CS-0/"].detail


def test_an_edge_that_was_lost_long_before_explains_nothing():
    new = candidates(2)

    assert place(new, around(9, [NOW, NOW], edges=(LostEdge("edge/3", later(hours=-1)),))) == {}


def test_an_edge_that_stopped_before_we_began_to_read_is_not_lost_just_now():
    edges = EdgeLiveness("notification", lambda: NOW, lambda: 100.0)
    lost = lost_edges_of(_newest(edges), lambda: NOW, 10)

    def hear(offset: int, slot: int, *, stopped: bool) -> None:
        value = EdgeHeartbeat(slot, "edge", NOW, stopped=stopped).record().value
        edges.view.take(Received(EDGES, 0, offset, str(slot), value, {}))

    hear(0, 3, stopped=True)
    hear(1, 4, stopped=False)
    edges.view.ready.set()
    assert lost() == []

    hear(2, 4, stopped=True)
    assert lost() == [LostEdge("edge/4", NOW)]


def test_all_stations_of_a_site_are_one():
    placed = place(candidates(3, {"site": "depot"}), around(99, [], sites={("site", "depot"): SiteCount(3, 3)}))

    assert {(group.subject, group.by) for group in placed.values()} == {("depot", "site")}


@pytest.mark.parametrize("count", [SiteCount(4, 3), SiteCount(1, 1)])
def test_some_stations_of_a_site_and_the_only_one_are_themselves(count):
    assert place(candidates(1, {"site": "depot"}), around(99, [], sites={("site", "depot"): count})) == {}


def test_one_that_goes_while_its_site_is_away_is_of_it_though_another_came_back():
    sites = {("site", "depot"): SiteCount(4, 3)}
    groups = frozenset({"offline//site=depot"})

    assert place(candidates(1, {"site": "depot"}), around(99, [], sites=sites, open_groups=groups))


@pytest.mark.parametrize(
    ("by", "members", "site", "stands"),
    [
        (FLEET, 10, None, True),
        (FLEET, 9, None, False),
        ("site", 3, SiteCount(4, 3), True),
        ("site", 2, SiteCount(4, 2), False),
        ("site", 1, None, False),
    ],
)
def test_a_group_stands_while_it_is_for_many(by, members, site, stands):
    assert still_stands(by, members, 20, site) is stands


# Silences


def silence(**parts: object) -> Silence:
    return Silence(
        "s1",
        **{"starts_at": NOW, "ends_at": later(days=30), "reason": "works", "created_by": "ann"}
        | parts
        | {"created_at": NOW},
    )


@pytest.mark.parametrize(
    ("named", "covers"),
    [
        ({}, True),
        ({"rule_id": "offline"}, True),
        ({"rule_id": "other"}, False),
        ({"station_id": "CS-1", "labels": {"site": "depot"}}, True),
        ({"station_id": "CS-2"}, False),
        ({"labels": {"site": "other"}}, False),
    ],
)
def test_a_silence_covers_what_it_names(named, covers):
    assert bool(silencing(ALERT, [silence(**named)], later(minutes=1))) is covers


@pytest.mark.parametrize(("at", "holds"), [(later(minutes=-1), False), (NOW, True), (later(days=30), False)])
def test_a_silence_holds_from_its_start_to_before_its_end(at, holds):
    assert silence().holds(at) is holds


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        (datetime(2026, 5, 2, 19, 59, tzinfo=UTC), False),
        (datetime(2026, 5, 2, 20, 0, tzinfo=UTC), True),  # Saturday 22:00 in Amsterdam, in summer
        (datetime(2026, 5, 2, 23, 59, tzinfo=UTC), True),
        (datetime(2026, 5, 3, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 5, 3, 20, 30, tzinfo=UTC), False),
    ],
)
def test_a_weekly_window_is_open_by_the_clock_of_its_time_zone(at, holds):
    window = Weekly((5,), time(22), 240, "Europe/Amsterdam")

    assert silence(weekly=window).holds(at) is holds


def test_a_window_that_never_opens_is_found():
    never = silence(ends_at=later(hours=20), weekly=Weekly((6,), time(3), 60, "UTC"))  # a Friday to a Saturday

    assert not never.ever_holds()
    assert silence(weekly=Weekly((6,), time(3), 60, "UTC")).ever_holds()


# Where nobody charges


SILENT = Rule("silent", "no_session", of.NoSession(days=3))


def silent(number: int) -> list[Candidate]:
    return [
        Candidate(f"silent/CS-{each}/", SILENT, Station(f"CS-{each}"), Verdict(later(seconds=each / 10)))
        for each in range(number)
    ]


def hours(*told: tuple[float, int]) -> list[tuple[datetime, int]]:
    """Return at how many stations somebody charged last so many days from now."""
    return [(later(days=days), stations) for days, stations in told]


def test_stations_where_nobody_charges_are_themselves_while_many_others_charged_since():
    well = hours((-0.5, 30), (0.5, 30), (2, 150), (3, 150))

    assert place(silent(100), Surroundings(360, sessions={"silent": well})) == {}


def test_where_hardly_anybody_charges_any_more_is_one():
    stopped = hours((-0.5, 60), (0.5, 60), (2, 60))

    placed = place(silent(100), Surroundings(1360, sessions={"silent": stopped}))

    assert len(placed) == 100
    assert {(group.subject, group.title) for group in placed.values()} == {
        ("fleet", "120 stations at once: nobody charges")
    }
    assert next(iter(placed.values())).detail.startswith("Within a day of 2026-05-01")


def test_once_there_is_an_alert_for_them_half_as_many_are_of_it():
    stopped = hours((0, 60), (2, 120))
    groups = frozenset({"silent//fleet"})

    assert place(silent(50), Surroundings(360, sessions={"silent": stopped})) == {}
    assert len(place(silent(50), Surroundings(360, sessions={"silent": stopped}, open_groups=groups))) == 50


def test_few_where_nobody_charges_are_themselves_though_they_are_all():
    assert place(silent(19), Surroundings(19, sessions={"silent": hours((0, 19))})) == {}


@pytest.mark.parametrize(
    ("kind", "apart_s", "are_one"),
    [
        ("evse_faulted", 5, True),
        ("evse_faulted", 150, False),
        ("repeated_boots", 150, True),
        ("commands_failing", 150, True),
        ("repeated_boots", 400, False),
        ("certificate_expiring", 3600, True),
        ("certificate_expiring", 10_000, False),
    ],
)
def test_what_each_station_comes_to_in_its_own_time_may_be_further_apart(kind, apart_s, are_one):
    rule = Rule(kind, kind, KINDS[kind].parameters())
    new = [
        Candidate(f"{kind}/CS-{each}/", rule, Station(f"CS-{each}"), Verdict(later(seconds=each * apart_s)))
        for each in range(20)
    ]
    began = [(each.verdict.since, each.station.station_id) for each in new]

    assert bool(place(new, Surroundings(20, {kind: began}))) is are_one


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+12", "Pacific/Kiritimati"])
@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_silence_at_the_end_of_all_times_is_like_any(at, zone):
    weekly = Weekly((0, 1, 2, 3, 4, 5, 6), time(3), 7 * 1440, zone)
    short = silence(starts_at=at, ends_at=at, weekly=weekly)

    assert not short.holds(at)
    assert not short.ever_holds()
    assert silence(
        starts_at=datetime.min.replace(tzinfo=UTC), ends_at=datetime.max.replace(tzinfo=UTC), weekly=weekly
    ).ever_holds()
