"""Power is never promised twice: what is counted is never below what a station that obeys could draw."""

from datetime import UTC, datetime, timedelta

from chargebus_smart_charging.sites.domain.site import Evse
from chargebus_smart_charging.steering.domain import steered as steering
from chargebus_smart_charging.steering.domain.held import CLOCK_S, UNLIMITED, Order
from chargebus_smart_charging.steering.domain.steered import Steerable, Steered, counted_a
from chargebus_smart_charging.steering.domain.stepping import step
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
MAX_A = 32.0
AMPERES = st.sampled_from([0.0, 6.0, 8.0, 10.0, 16.0, 20.0, 32.0])
EVSE = Evse("CS-1", 1, "panel", voltage_v=230.0, phases=(1, 2, 3), min_a=6.0, max_a=MAX_A)


class ObedientStation:
    """A station that does what it accepts, a while later, by a clock that is somewhat off; a boot may lose it."""

    def __init__(self, skew_s: float, lag_s: float) -> None:
        self.skew = timedelta(seconds=skew_s)
        self.lag = timedelta(seconds=lag_s)
        self.profile: Order | None = None
        self.default_a: float | None = None
        self.transaction_id = ""
        self.wish_a = MAX_A
        self.late: list[tuple[datetime, float]] = []

    def allowed_a(self, now: datetime) -> float:
        """What it allows by the limits that it holds."""
        clock = now + self.skew
        default_a = MAX_A if self.default_a is None else self.default_a
        if self.profile is None or (self.profile.until is not None and clock >= self.profile.until):
            return min(default_a, MAX_A)
        return min(self.profile.amperes_at(clock), MAX_A)

    def drawable_a(self, now: datetime) -> float:
        """What its vehicle may draw: by an older limit too, as long as it is on its way to obey."""
        if not self.transaction_id:
            return 0.0
        late = [amperes for until, amperes in self.late if now < until]
        return min(max([self.allowed_a(now), *late]), MAX_A)

    def drawn_a(self, now: datetime) -> float:
        return min(self.drawable_a(now), self.wish_a)

    def accepts(self, order: Order, now: datetime) -> bool:
        """Take an order as OCPP has it: a TxProfile is for the transaction that runs."""
        before_a = self.drawable_a(now)
        if order.asking == "default":
            self.default_a = order.limit_a
        elif order.asking == "clear":
            self.profile = None
        elif order.asking == "limit":
            if order.rung == "TxProfile" and order.transaction_id != self.transaction_id:
                return False
            self.profile = order
        if self.transaction_id and self.allowed_a(now) < before_a:
            self.late.append((now + self.lag, before_a))
        return True

    def begin(self, transaction_id: str, wish_a: float) -> None:
        self.transaction_id, self.wish_a = transaction_id, wish_a

    def end(self) -> None:
        self.transaction_id = ""
        self.late = []
        if self.profile is not None and self.profile.rung == "TxProfile":
            self.profile = None


class Steering(RuleBasedStateMachine):
    """A station and what is known of it, whatever is lost, late, or comes in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.station = ObedientStation(0, 0)
        self.steered = Steered()
        self.steerable = Steerable(EVSE, default_a=6.0, version="2.0.1")
        self.on_their_way: list[Order] = []
        self.answers: list[tuple[int, steering.Answer, datetime]] = []
        self.news: list[tuple[str, str]] = []
        self.transactions = 0

    @rule(skew_s=st.sampled_from([-9.0, 0.0, 9.0]), lag_s=st.sampled_from([0.0, 30.0, 59.0]))
    def is_another_make(self, skew_s, lag_s):
        assert abs(skew_s) < CLOCK_S
        self.station.skew = timedelta(seconds=skew_s)
        self.station.lag = timedelta(seconds=lag_s)

    @rule(seconds=st.sampled_from([1, 5, 20, 59, 61, 300, 900, 1785, 1800]))
    def time_passes(self, seconds):
        told_by = (self.steered.online_at or self.now) + self.steerable.grace
        if self.steered.online and self.now + timedelta(seconds=seconds) >= told_by:
            self.news_comes()
        self.now += timedelta(seconds=seconds)

    @rule(wanted_a=st.none() | AMPERES, later_a=AMPERES)
    def plans(self, wanted_a, later_a):
        ahead = ((self.now + timedelta(seconds=600), later_a),)
        done = step(self.steered, wanted_a, self.steerable, self.now, ahead)
        self.steered = done.steered
        self.on_their_way += done.orders

    @precondition(lambda self: self.on_their_way)
    @rule(
        fate=st.sampled_from(["answered", "answered", "answered", "refused", "answer lost", "call lost", "undelivered"])
    )
    def an_order_ends(self, fate):
        order = self.on_their_way.pop(0)
        if not self.steered.online:
            fate = "undelivered"
        answers: dict[str, steering.Answer] = {
            "undelivered": "undelivered",
            "refused": "refused",
            "answer lost": "unknown",
            "call lost": "unknown",
        }
        answer = answers.get(fate)
        if fate in ("answered", "answer lost"):
            taken = self.station.accepts(order, self.now)
            answer = answer or ("accepted" if taken else "refused")
        assert answer is not None
        self.answers.append((order.number, answer, self.now))

    @precondition(lambda self: self.answers)
    @rule()
    def an_answer_comes(self):
        self.steered = steering.answered(self.steered, *self.answers.pop(0))

    @rule()
    def is_measured(self):
        drawn_a = self.station.drawn_a(self.now)
        self.steered = steering.measured(self.steered, (drawn_a,) * 3, self.now, self.steerable)

    @precondition(lambda self: not self.station.transaction_id)
    @rule(wish_a=st.sampled_from([MAX_A, MAX_A, 16.0, 6.0]))
    def a_transaction_begins(self, wish_a):
        self.transactions += 1
        self.station.begin(str(self.transactions), wish_a)
        self._is_news("began", str(self.transactions))

    @precondition(lambda self: self.station.transaction_id)
    @rule()
    def the_transaction_ends(self):
        self.station.end()
        self._is_news("ended", "")

    def _is_news(self, what, transaction_id):
        self.news.append((what, transaction_id))
        if self.steered.online:
            self.news_comes()

    @precondition(lambda self: self.steered.online)
    @rule()
    def news_comes(self):
        for what, transaction_id in self.news:
            if what == "began":
                self.steered = steering.transaction_began(self.steered, transaction_id, self.now)
            else:
                self.steered = steering.transaction_ended(self.steered, self.now)
        self.news = []

    @rule()
    def the_socket_is_lost(self):
        self.steered = steering.lost(self.steered, self.now)

    @rule()
    def it_connects(self):
        self.steered = steering.connected(self.steered, self.now)

    @rule(forgets=st.booleans(), resumes=st.booleans())
    def it_boots(self, forgets, resumes):
        self.answers += [(order.number, "unknown", self.now) for order in self.on_their_way]
        self.on_their_way = []
        if not resumes and self.station.transaction_id:
            self.station.end()
            self.news.append(("ended", ""))
        if forgets:
            self.station.profile = self.station.default_a = None
        self.station.late = []
        self.steered = steering.booted(steering.connected(self.steered, self.now), self.now, self.steerable)

    @invariant()
    def what_is_counted_is_never_below_what_may_be_drawn(self):
        counted = counted_a(self.steered, self.steerable, self.now)
        assert self.station.drawable_a(self.now) <= counted + steering.TOLERANCE_A
        assert counted < UNLIMITED

    @invariant()
    def nothing_is_counted_as_0_of_a_station_that_is_offline(self):
        if not self.steered.online:
            assert counted_a(self.steered, self.steerable, self.now) > 0


TestSteering = Steering.TestCase
TestSteering.settings = settings(stateful_step_count=40)
