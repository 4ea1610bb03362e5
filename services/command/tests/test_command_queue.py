"""The rules of a station's queue, one by one."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_command.domain.decision import CONNECTION_LOST, Decision, Life, Surroundings
from chargebus_command.domain.events import (
    Asked,
    Connected,
    Delivered,
    DeliveryResult,
    Disconnected,
    Event,
    Registered,
)
from chargebus_command.domain.forms import choose
from chargebus_command.domain.queue import decide
from chargebus_command.domain.state import Command, Reply, Rules, Station, StationConnection, expiry
from chargebus_events.commands import CommandForm
from msgspec.structs import replace

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RULES = Rules()


def form(action: str, payload: bytes = b"{}", versions: tuple[str, ...] = ()) -> CommandForm:
    return CommandForm(action, msgspec.Raw(payload), versions)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def command(name: str, *, ttl_s: float = 0.0, timeout_s: float = 30.0, asked_at: datetime = NOW) -> Command:
    expires_at = expiry(asked_at, timeout_s, ttl_s)
    return Command(name, "CS1", (form("Reset", b'{"type":"Soft"}'),), "test", asked_at, expires_at, timeout_s, ttl_s)


def connection(epoch: int = 5, edge_epoch: int = 1) -> StationConnection:
    return StationConnection(epoch=epoch, slot=0, edge_epoch=edge_epoch, version="1.6")


def around(now: datetime = NOW, *, life: Life = "alive", misfit: str = "") -> Surroundings:
    return Surroundings(lambda _slot, _epoch: life, RULES, lambda _form, _version: misfit, now, now)


def online(*events: Event) -> Decision:
    return decide(Station("CS1", registered=True), [Connected(connection()), *events], around())


def report(decision: Decision, result: DeliveryResult, at: datetime = NOW, reply: Reply | None = None) -> Decision:
    flying = decision.station.in_flight
    assert flying is not None
    assert flying.sent is not None
    event = Delivered(flying.command_id, flying.sent.epoch, result, reply or Reply())
    return decide(decision.station, [event], around(at))


def ends(decision: Decision) -> list[tuple[str, str]]:
    return [(ended.command.command_id, ended.outcome) for ended in decision.ended]


def test_a_connected_station_gets_its_command_at_once() -> None:
    decision = online(Asked(command("a")))

    assert decision.sent is not None
    assert decision.sent.sent is not None
    assert (decision.sent.sent.slot, decision.sent.sent.epoch) == (0, 5)
    assert decision.sent.sent.deadline_at == later(30 + RULES.answer_grace_s)
    assert decision.ended == ()


def test_only_one_command_is_in_flight_and_the_next_follows_its_end() -> None:
    first = online(Asked(command("a")), Asked(command("b")), Asked(command("c")))
    second = report(first, "answered", reply=Reply(payload=b"{}"))

    assert first.sent is not None
    assert first.sent.command_id == "a"
    assert second.sent is not None
    assert second.sent.command_id == "b"
    assert ends(second) == [("a", "answered")]


@pytest.mark.parametrize(
    ("result", "outcome"),
    [("answered", "answered"), ("refused", "refused"), ("timed_out", "timed_out"), ("connection_lost", "timed_out")],
)
def test_a_report_of_the_edge_ends_the_command(result: DeliveryResult, outcome: str) -> None:
    assert ends(report(online(Asked(command("a"))), result)) == [("a", outcome)]


def test_a_command_that_does_not_wait_fails_at_once_when_the_station_is_away() -> None:
    decision = decide(Station("CS1", registered=True), [Asked(command("a"))], around())

    assert ends(decision) == [("a", "undeliverable")]
    assert decision.ended[0].reason == "the station is not connected"


def test_a_command_with_a_life_waits_for_the_station() -> None:
    away = decide(Station("CS1", registered=True), [Asked(command("a", ttl_s=60))], around())
    back = decide(away.station, [Connected(connection())], around(later(59)))

    assert away.ended == ()
    assert back.sent is not None


def test_a_command_whose_life_ends_while_it_waits_expires() -> None:
    away = decide(Station("CS1", registered=True), [Asked(command("a", ttl_s=60))], around())
    back = decide(away.station, [Connected(connection())], around(later(60)))

    assert back.sent is None
    assert ends(back) == [("a", "expired")]


def test_why_a_command_expired_says_what_it_waited_for() -> None:
    away = decide(Station("CS1", registered=True), [Asked(command("a", ttl_s=60))], around())
    over = decide(away.station, [], around(later(60)))
    busy = decide(online(Asked(command("b")), Asked(command("c", ttl_s=20))).station, [], around(later(20)))

    assert over.ended[0].reason == "the station is not connected; it waited for 60 s"
    assert busy.ended[0].reason == "the station was not free for it within 20 s"


def test_an_answer_that_breaks_its_schema_is_told_as_such() -> None:
    [ended] = report(online(Asked(command("a"))), "answered", reply=Reply(b"{}", "FormationViolation", "status?")).ended
    [unread] = report(online(Asked(command("a"))), "answered", reply=Reply(None, "FormationViolation", "no JSON")).ended

    assert (ended.outcome, ended.reason) == (
        "answered",
        "the station's answer breaks its schema: FormationViolation: status?",
    )
    assert unread.reason == "the station's answer cannot be read: FormationViolation: no JSON"


def test_B02_FR_05_what_a_pending_station_must_not_be_asked_waits_and_others_pass_it() -> None:
    held = report(online(Asked(command("start", ttl_s=60))), "pending")
    other = decide(held.station, [Asked(command("other"))], around(later(1)))
    done = report(other, "answered", later(1), Reply(b"{}"))
    again = decide(done.station, [], around(later(2)))

    assert (held.ended, held.sent) == ((), None)
    assert held.station.avoided is None
    assert other.sent is not None
    assert other.sent.command_id == "other"
    assert done.sent is None
    assert again.sent is not None
    assert again.sent.command_id == "start"


@pytest.mark.parametrize("news", [Registered(registered=True), Connected(connection(epoch=6))])
def test_a_held_command_is_tried_as_soon_as_its_station_may_be_accepted(news: Event) -> None:
    held = report(online(Asked(command("start", ttl_s=60))), "pending")

    assert decide(held.station, [news], around(later(0.5))).sent is not None


def test_a_command_that_does_not_wait_ends_where_its_station_is_pending_and_so_does_one_that_waited_in_vain() -> None:
    at_once = report(online(Asked(command("start"))), "pending")
    held = report(online(Asked(command("start", ttl_s=60))), "pending", later(59))
    late = decide(held.station, [], around(later(60)))

    assert ends(at_once) == [("start", "undeliverable")]
    assert ends(late) == [("start", "expired")]
    assert "the station is pending" in at_once.ended[0].reason
    assert "the station is pending" in late.ended[0].reason


def test_a_command_that_does_not_wait_may_queue_behind_another_for_as_long_as_its_timeout() -> None:
    both = online(Asked(command("a", timeout_s=60)), Asked(command("b", timeout_s=10)))
    almost = decide(both.station, [], around(later(9)))
    late = decide(both.station, [], around(later(10)))

    assert ends(almost) == []
    assert ends(late) == [("b", "expired")]


def test_a_command_that_was_asked_for_long_ago_is_not_sent() -> None:
    decision = online(Asked(command("a", asked_at=later(-31))))

    assert decision.sent is None
    assert ends(decision) == [("a", "expired")]


def test_an_unwritten_command_returns_to_the_head_of_the_queue_and_its_connection_is_void() -> None:
    flying = online(Asked(command("a", ttl_s=60)), Asked(command("b", ttl_s=60)))
    returned = report(flying, "undeliverable")
    again = decide(returned.station, [Connected(connection(epoch=6))], around())

    assert returned.sent is None
    assert [c.command_id for c in returned.station.waiting] == ["a", "b"]
    assert decide(returned.station, [], around(later(RULES.avoid_s - 0.001))).sent is None
    assert again.sent is not None
    assert again.sent.command_id == "a"


def test_an_unwritten_command_is_tried_again_on_a_connection_that_stays() -> None:
    returned = report(online(Asked(command("a", ttl_s=60))), "undeliverable")
    again = decide(returned.station, [], around(later(RULES.avoid_s)))

    assert again.sent is not None


def test_an_unwritten_command_that_does_not_wait_is_undeliverable() -> None:
    assert ends(report(online(Asked(command("a"))), "undeliverable")) == [("a", "undeliverable")]


def test_an_unwritten_command_whose_life_is_over_is_undeliverable() -> None:
    decision = report(online(Asked(command("a", ttl_s=20))), "undeliverable", at=later(20))

    assert ends(decision) == [("a", "undeliverable")]


def test_an_unwritten_command_goes_to_the_connection_that_came_meanwhile() -> None:
    flying = online(Asked(command("a")))
    newer = decide(flying.station, [Connected(connection(epoch=6))], around())
    again = report(newer, "undeliverable")

    assert again.sent is not None
    assert again.sent.sent is not None
    assert again.sent.sent.epoch == 6


def test_a_new_connection_ends_what_was_in_flight_on_the_old_one_after_a_short_grace() -> None:
    flying = online(Asked(command("a", ttl_s=600)))
    newer = decide(flying.station, [Connected(connection(epoch=6))], around())
    over = decide(newer.station, [], around(later(RULES.lost_grace_s)))

    assert newer.ended == ()
    assert ends(over) == [("a", "timed_out")]
    assert over.ended[0].reason == CONNECTION_LOST


def test_the_answer_that_was_on_its_way_when_the_connection_ended_counts() -> None:
    flying = online(Asked(command("a")))
    gone = decide(flying.station, [Disconnected(epoch=5)], around())

    assert ends(report(gone, "answered", at=later(1))) == [("a", "answered")]


def test_a_silent_edge_ends_in_a_timeout_after_the_grace() -> None:
    flying = online(Asked(command("a")))
    before = decide(flying.station, [], around(later(30 + RULES.answer_grace_s - 0.001)))
    after = decide(flying.station, [], around(later(30 + RULES.answer_grace_s)))

    assert before.ended == ()
    assert ends(after) == [("a", "timed_out")]
    assert after.ended[0].reason == "no answer within 30 s"


@pytest.mark.parametrize(("life", "reason"), [("over", "held the connection is gone"), ("silent", "is silent")])
def test_a_station_of_an_edge_that_is_gone_is_away(life: Life, reason: str) -> None:
    station = Station("CS1", registered=True, connection=connection())
    decision = decide(station, [Asked(command("a"))], around(life=life))

    assert ends(decision) == [("a", "undeliverable")]
    assert reason in decision.ended[0].reason


def test_it_is_the_edge_of_the_connection_that_is_looked_at() -> None:
    looked_at: list[tuple[int, int]] = []

    def life(slot: int, epoch: int) -> Life:
        looked_at.append((slot, epoch))
        return "alive"

    station = Station("CS1", registered=True, connection=connection(edge_epoch=7))
    decide(station, [Asked(command("a"))], Surroundings(life, RULES, lambda _form, _version: "", NOW, NOW))

    assert set(looked_at) == {(0, 7)}


def test_what_is_in_flight_on_an_edge_that_died_ends_after_a_short_grace() -> None:
    flying = online(Asked(command("a")))
    seen = decide(flying.station, [], around(life="over"))
    over = decide(seen.station, [], around(later(RULES.lost_grace_s), life="over"))

    assert seen.ended == ()
    assert ends(over) == [("a", "timed_out")]


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param(Delivered("a", 4, "answered"), id="other connection"),
        pytest.param(Delivered("z", 5, "answered"), id="other command"),
        pytest.param(Delivered("a", 5, "undeliverable", sent_at=later(-1)), id="earlier attempt"),
    ],
)
def test_a_report_that_concerns_nothing_in_flight_is_ignored_and_counted(stray: Delivered) -> None:
    flying = online(Asked(command("a")))
    decision = decide(flying.station, [stray], around())

    assert decision.ignored == 1
    assert decision.station == flying.station


def test_a_late_end_of_an_older_connection_does_not_evict_the_newer_one() -> None:
    station = Station("CS1", registered=True, connection=connection(epoch=6))
    decision = decide(station, [Disconnected(epoch=5), Connected(connection(epoch=5))], around())

    assert decision.station.connection == connection(epoch=6)


def test_a_payload_that_does_not_fit_the_version_is_undeliverable_and_the_next_goes() -> None:
    misfits = replace(around(), misfit=lambda form, _version: "does not fit" if bytes(form.payload) == b"{}" else "")
    station = Station("CS1", registered=True, connection=connection())
    unfit = replace(command("a"), forms=(form("Reset"),))
    decision = decide(station, [Asked(unfit), Asked(command("b"))], misfits)

    assert ends(decision) == [("a", "undeliverable")]
    assert decision.ended[0].reason == "does not fit"
    assert decision.sent is not None
    assert decision.sent.command_id == "b"


def test_the_first_form_that_suits_the_version_is_sent() -> None:
    forms = (
        form("A", versions=("2.0.1",)),
        form("B", b"0", ("1.6", "2.1")),
        form("C"),
        form("D", versions=("1.6",)),
    )

    def misfit(form: CommandForm, _version: str) -> str:
        return "breaks its schema" if form.action == "B" else ""

    assert choose(forms, "1.6", misfit) == forms[2]
    assert choose(forms[:2], "1.6", misfit) == "breaks its schema"
    assert choose(forms[:2], "3.0", misfit) == "it is meant for OCPP 1.6 or 2.0.1 or 2.1, the station speaks 3.0"


GRACE_S = RULES.absent_grace_s


def patient(name: str, ttl_s: float = 0.0, timeout_s: float = 30.0) -> Command:
    return replace(command(name, ttl_s=ttl_s, timeout_s=timeout_s), absent_until=later(GRACE_S))


@pytest.mark.parametrize("station", [Station("CS1"), Station("CS1", registered=True)], ids=["unknown", "away"])
def test_a_command_of_a_service_waits_a_moment_for_a_station_that_may_just_have_come(station: Station) -> None:
    waits = decide(station, [Asked(patient("a"))], around())
    still = decide(waits.station, [], around(later(GRACE_S - 0.001)))
    comes = decide(
        still.station, [Registered(registered=True), Connected(connection())], around(later(GRACE_S - 0.001))
    )
    over = decide(waits.station, [], around(later(GRACE_S)))

    assert (waits.ended, still.ended) == ((), ())
    assert comes.sent is not None
    assert ends(over) == [("a", "undeliverable")]


def test_the_grace_for_an_unknown_station_does_not_outlive_the_command() -> None:
    waits = decide(Station("CS1"), [Asked(patient("a", timeout_s=1))], around())
    over = decide(waits.station, [], around(later(1)))

    assert ends(over) == [("a", "undeliverable")]
    assert over.ended[0].reason == "there is no such station"


def test_once_its_grace_is_over_a_command_that_waits_its_turn_needs_no_look_before_its_end() -> None:
    both = online(Asked(command("a", timeout_s=60)), Asked(patient("b")))
    later_on = decide(both.station, [], around(later(GRACE_S)))

    assert [each.absent_until for each in later_on.station.waiting] == [None]


def test_an_unknown_station_takes_no_command() -> None:
    decision = decide(Station("CS1"), [Asked(command("a", ttl_s=60))], around())

    assert ends(decision) == [("a", "undeliverable")]


def test_commands_that_wait_for_a_removed_station_end() -> None:
    away = decide(Station("CS1", registered=True), [Asked(command("a", ttl_s=60))], around())

    assert ends(decide(away.station, [Registered(registered=False)], around())) == [("a", "undeliverable")]


def test_a_full_queue_takes_no_more() -> None:
    asked = [Asked(command(f"c{n}", ttl_s=60)) for n in range(RULES.max_waiting + 1)]
    decision = decide(Station("CS1", registered=True), asked, around())

    assert ends(decision) == [(f"c{RULES.max_waiting}", "undeliverable")]
