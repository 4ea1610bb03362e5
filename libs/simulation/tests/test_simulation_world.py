from dataclasses import replace

import pytest
from chargebus_simulation.cars import HOUR, Car, Visit
from chargebus_simulation.facts import Answered, Ask, Began, Connected, Ended, Fact, Freed, Lost, Measured
from chargebus_simulation.places import Cut, fleet, small
from chargebus_simulation.stations import Temper
from chargebus_simulation.world import Decided, World

KEY = ("S000", 1)
OTHER = ("S001", 1)
CAR = Car(50_000.0, 3, 16.0)


class Scripted:
    """Asks what it was told to ask, when it hears of a transaction, and remembers all that it hears."""

    def __init__(self, *asks: tuple[float, Ask]) -> None:
        self.asks = list(asks)
        self.heard: list[tuple[float, Fact]] = []

    def hear(self, fact: Fact, now_s: float, /) -> bool:
        self.heard.append((now_s, fact))
        return False

    def decide(self, now_s: float, /) -> Decided:
        due = tuple(ask for at_s, ask in self.asks if at_s <= now_s)
        self.asks = [(at_s, ask) for at_s, ask in self.asks if at_s > now_s]
        return Decided(due, min((at_s for at_s, _ in self.asks), default=now_s + HOUR))

    def of(self, kind: type) -> list[tuple[float, Fact]]:
        return [(at_s, fact) for at_s, fact in self.heard if isinstance(fact, kind)]


def world(csms: Scripted, temper: Temper, **changes: object) -> World:
    visit = Visit(0, 1000.0, 1000.0 + 2 * HOUR, CAR, 10_000.0, 20_000.0)
    place = replace(fleet(1, "depot", 1, 32.0), visits=(visit,), tempers={"S000": temper}, **changes)
    return World(place, csms)


def energy_wh(amperes: float, seconds: float) -> float:
    return amperes * 3 * 230.0 * seconds / 3600.0


def test_a_vehicle_that_nobody_limits_draws_what_its_charger_takes() -> None:
    csms = Scripted()

    books = world(csms, Temper()).run()

    assert books.energy_wh == pytest.approx(energy_wh(16.0, 2 * HOUR), rel=1e-3)
    assert [type(fact) for _, fact in csms.heard if not isinstance(fact, Measured)] == [Connected, Freed, Began, Ended]


def test_a_limit_bites_after_the_answer_and_the_time_to_obey() -> None:
    csms = Scripted((2000.0, Ask.of(KEY, "TxProfile", 8.0)))

    books = world(csms, Temper(answer_s=5.0, obeys_s=20.0)).run()

    assert csms.of(Answered) == [(2005.0, Answered(Ask.of(KEY, "TxProfile", 8.0), "Accepted"))]
    bites_s = 1000.0 + 25.0
    assert books.energy_wh == pytest.approx(energy_wh(16.0, bites_s) + energy_wh(8.0, 2 * HOUR - bites_s), rel=1e-3)


def test_when_a_profile_has_run_out_the_default_holds() -> None:
    csms = Scripted(
        (10.0, Ask.of(KEY, "TxDefaultProfile", 6.0)), (1100.0, Ask.of(KEY, "TxProfile", 16.0, until_s=2100.0))
    )

    books = world(csms, Temper(answer_s=0.0, obeys_s=0.0)).run()

    assert books.energy_wh == pytest.approx(energy_wh(16.0, 1000.0) + energy_wh(6.0, 2 * HOUR - 1000.0), rel=1e-3)


def test_a_station_that_boots_forgets_the_profile_and_keeps_or_forgets_the_default() -> None:
    asks = ((10.0, Ask.of(KEY, "TxDefaultProfile", 6.0)), (1010.0, Ask.of(KEY, "TxProfile", 10.0)))

    drawn = {}
    for keeps in (True, False):
        temper = Temper(answer_s=0.0, obeys_s=0.0, boots=(1000.0 + HOUR,), keeps_default=keeps)
        drawn[keeps] = world(Scripted(*asks), temper).run().energy_wh

    assert drawn[True] == pytest.approx(energy_wh(10.0, HOUR) + energy_wh(6.0, HOUR), rel=5e-3)
    assert drawn[False] == pytest.approx(energy_wh(10.0, HOUR) + energy_wh(16.0, HOUR), rel=5e-3)


def test_a_station_that_ignores_accepts_and_goes_on() -> None:
    csms = Scripted((1100.0, Ask.of(KEY, "TxProfile", 6.0)))

    books = world(csms, Temper(ignores=True)).run()

    assert [fact.outcome for _, fact in csms.of(Answered)] == ["Accepted"]
    assert books.energy_wh == pytest.approx(energy_wh(16.0, 2 * HOUR), rel=1e-3)


@pytest.mark.parametrize(
    ("temper", "limit_a", "outcome"),
    [
        (Temper(refuses=frozenset({"TxProfile"})), 8.0, "Rejected"),
        (Temper(takes_zero=False), 0.0, "Rejected"),
        (Temper(mute=((0.0, 1e6),)), 8.0, "timed out"),
        (Temper(away=((1200.0, 1e6),)), 8.0, "undeliverable"),
    ],
)
def test_what_a_station_does_not_take_changes_nothing(temper, limit_a, outcome) -> None:
    csms = Scripted((1500.0, Ask.of(KEY, "TxProfile", limit_a)))

    books = world(csms, temper).run()

    assert [fact.outcome for _, fact in csms.of(Answered)] == [outcome]
    assert books.energy_wh == pytest.approx(energy_wh(16.0, 2 * HOUR), rel=1e-3)


def test_a_station_that_is_offline_tells_later_of_what_began_and_ended_meanwhile() -> None:
    csms = Scripted()

    world(csms, Temper(away=((500.0, 20_000.0),))).run()

    told = [(at_s, type(fact)) for at_s, fact in csms.heard if not isinstance(fact, Freed)]
    assert told == [(0.0, Connected), (500.0, Lost), (20_000.0, Connected), (20_000.0, Began), (20_000.0, Ended)]


class Withholding(Scripted):
    """Lets one vehicle not draw, though the first phase is free; knows its phases, or never learns them."""

    def __init__(self, phases: dict[tuple[str, int], tuple[int, ...]]) -> None:
        super().__init__((0.0, Ask.of(KEY, "TxDefaultProfile", 0.0)))
        self.phases = phases

    def decide(self, now_s: float, /) -> Decided:
        return replace(
            super().decide(now_s),
            again_s=now_s + 60.0,
            counted_a={KEY: (0.0,) * 3, OTHER: (0.0, 32.0, 32.0)},
            bounds_a={"grid": (32.0,) * 3},
            phases=self.phases,
        )


@pytest.mark.parametrize(
    ("stays_s", "phases", "other", "starves"),
    [
        (0.9 * HOUR, {}, Temper(), False),
        (0.9 * HOUR, {KEY: (0,)}, Temper(), True),
        (0.9 * HOUR, {KEY: (0, 1, 2)}, Temper(), False),
        (3 * HOUR, {}, Temper(), True),
        (3 * HOUR, {}, Temper(takes_zero=False), True),
        (3 * HOUR, {}, Temper(ignores=True), False),
        (3 * HOUR, {KEY: (0,)}, Temper(ignores=True), True),
    ],
)
def test_who_is_never_let_draw_starves_for_what_is_free_on_its_phases(stays_s, phases, other, starves) -> None:
    """Unless nobody can know them: beside what cannot be lowered there is no room to try."""
    visit = Visit(0, 1000.0, 1000.0 + stays_s, replace(CAR, phases=1), 10_000.0, 5_000.0)
    place = replace(fleet(1, "depot", 2, 32.0), visits=(visit,), tempers={"S000": Temper(), "S001": other})

    books = World(place, Withholding(phases)).run()

    assert books.energy_wh == 0.0
    assert [breach.rule for breach in books.breaches] == ["starved"] * starves


def test_an_overload_that_could_have_been_relieved_for_too_long_is_a_breach() -> None:
    cut = Cut("grid", 3000.0, 6000.0, 10.0)

    books = world(Scripted(), Temper(), cuts=(cut,)).run()

    assert [breach.rule for breach in books.breaches] == ["over its limit for too long"]
    assert books.over_s["grid"] == pytest.approx(3000.0, abs=1.0)


def test_an_overload_that_is_relieved_within_an_interval_is_none() -> None:
    cut = Cut("grid", 3000.0, 6000.0, 10.0)

    books = world(Scripted((3200.0, Ask.of(KEY, "TxProfile", 10.0))), Temper(), cuts=(cut,)).run()

    assert books.breaches == []
    assert books.over_s["grid"] == pytest.approx(202.5, abs=1.0)


def test_nobody_is_to_blame_for_what_a_station_draws_that_ignores_its_limits() -> None:
    cut = Cut("grid", 3000.0, 6000.0, 10.0)

    books = world(Scripted(), Temper(ignores=True), cuts=(cut,)).run()

    assert books.breaches == []
    assert books.over_s["grid"] > 2000.0


@pytest.mark.parametrize("charged_before", [False, True])
def test_nobody_is_to_blame_for_what_a_station_draws_offline_that_has_never_shown_that_it_ignores(
    charged_before,
) -> None:
    offline = Temper(ignores=True, away=((500.0, 1e6),))
    visits = [Visit(evse, 1000.0, 1000.0 + 2 * HOUR, CAR, 10_000.0, 20_000.0) for evse in (0, 1)]
    if charged_before:
        visits.insert(0, Visit(0, 100.0, 400.0, CAR, 10_000.0, 1_000.0))
    place = replace(
        fleet(1, "depot", 2, 32.0),
        visits=tuple(visits),
        tempers={"S000": offline, "S001": Temper()},
        cuts=(Cut("grid", 3000.0, 6000.0, 20.0),),
    )

    books = World(place, Scripted((10.0, Ask.of(KEY, "TxDefaultProfile", 0.0)))).run()

    assert {breach.rule for breach in books.breaches} == ({"over its limit for too long"} if charged_before else set())
    assert books.peak_a == 32.0


class Counting(Scripted):
    """Counts its one EVSE at more, from one decision to the next, than there is."""

    def decide(self, now_s: float, /) -> Decided:
        counted = min(40.0, now_s / 100.0)
        before = max(0.0, counted - 5.0)
        return Decided((), now_s + 500.0, {KEY: (counted,) * 3}, {"grid": (32.0,) * 3}, {"grid": (before,) * 3})


def test_counting_more_than_is_allowed_and_more_than_before_is_a_breach() -> None:
    books = world(Counting(), Temper()).run()

    assert {breach.rule for breach in books.breaches} == {"promised twice"}
    assert books.breaches[0].at_s > 3200.0


def test_the_same_seed_makes_the_same_place() -> None:
    assert small(17) == small(17)
    assert small(17) != small(18)
