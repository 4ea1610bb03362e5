"""What is decided about a new password: plain values, one step after the other."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from chargebus_commanding import Outcome
from chargebus_security.credentials import routes
from chargebus_security.credentials.domain import campaign as life
from chargebus_security.credentials.domain import rotating
from chargebus_security.credentials.domain.campaign import Campaign, Counts, Rules, new_member
from chargebus_security.credentials.domain.case import Case
from chargebus_security.credentials.domain.facts import Facts, Give, TakeBack, Tell, Told
from chargebus_security.credentials.domain.rotation import Rotation
from chargebus_security.trust.domain.policy import Selector

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OLD, NEW = "old", "new"


def campaign(**rules) -> Campaign:
    return Campaign(
        campaign_id=uuid4(),
        kind="rotation",
        name="",
        selector=Selector(),
        rules=Rules(**rules),
        created_at=NOW,
        until=NOW + timedelta(days=7),
        begun_up_to=NOW,
        changed_at=NOW,
    )


class Course:
    """A station's way through a rotation."""

    def __init__(self, **rules) -> None:
        self.campaign = campaign(**rules)
        self.now = NOW
        self.facts = Facts(online=True, epoch=7, ocpp_version="1.6", used_profile=1, least_profile=1, passwords=(OLD,))
        self.member = new_member(self.campaign.campaign_id, "CS-1", NOW)
        self.action: object = None
        self._take(rotating.begin(self._case(Rotation("stored", NEW, "sealed", NOW))))

    @property
    def state(self) -> str:
        return self.member.state

    def _case(self, work=None) -> Case:
        return Case(self.member, work or self.member.work, self.campaign, self.facts, self.now)

    def _take(self, decision) -> object:
        self.member, self.action = decision
        return self.action

    def knows(self, **facts) -> object:
        """Hear something."""
        self.facts = msgspec.structs.replace(self.facts, **facts)
        return self._take(rotating.look(self._case()))

    def comes(self) -> object:
        """Hear that it connects."""
        self.facts = msgspec.structs.replace(self.facts, online=True, epoch=self.facts.epoch + 1)
        self.member = rotating.back(self.member, self.now)
        return self._take(rotating.look(self._case()))

    def says(self, answer: str, order: str = "password", why: str = "") -> object:
        return self._take(rotating.answered(self._case(), Told(order, answer, why)))

    def passes(self, **time) -> object:
        """Let time pass until it is looked at, if that is due by then."""
        self.now += timedelta(**time)
        due = self.member.due_at is not None and self.member.due_at <= self.now
        return self._take(rotating.look(self._case())) if due else None


@pytest.fixture
def told() -> Course:
    course = Course()
    course.knows(passwords=(OLD, NEW))
    course.says("accepted")
    return course


def test_the_station_is_told_when_the_registry_has_the_new_password_and_not_before():
    course = Course()
    given = course.action
    early = course.passes(seconds=30)

    assert (given, early, course.state) == (Give("stored"), None, "registering")
    assert course.knows(passwords=(OLD, NEW)) == Tell("password")


def test_it_is_done_when_the_station_has_come_back_with_the_new_one_and_the_secret_is_gone(told):
    assert told.state == "told"
    told.knows(passwords=(NEW,))

    assert (told.state, told.member.work.sealed) == ("done", "")


def test_A01_a_station_that_refuses_keeps_the_old_one_and_the_new_one_is_taken_back():
    course = Course()
    course.knows(passwords=(OLD, NEW))

    assert course.says("refused", why="Rejected") == TakeBack("stored")
    assert (course.state, course.member.reason) == ("refused", "Rejected")


def test_one_whose_answer_is_lost_may_have_it_so_both_count():
    course = Course()
    course.knows(passwords=(OLD, NEW))

    assert course.says("unknown") is None
    assert course.state == "told"
    course.knows(passwords=(NEW,))
    assert course.state == "done"


def test_one_that_never_comes_back_is_unconfirmed_and_nothing_is_taken_back():
    course = Course(reset="never")
    course.knows(passwords=(OLD, NEW))
    course.says("accepted")
    course.passes(days=7, seconds=1)

    assert (course.state, course.action) == ("unconfirmed", None)


def test_one_that_was_not_reached_is_told_when_it_comes():
    course = Course()
    course.knows(passwords=(OLD, NEW))
    course.says("unreached", why="away")
    away = course.knows(online=False)

    assert (away, course.state) == (None, "registering")
    assert course.comes() == Tell("password")


def test_one_that_was_never_reached_fails_and_the_new_one_is_taken_back():
    course = Course()
    course.knows(passwords=(OLD, NEW))
    course.says("unreached", why="away")
    course.knows(online=False)

    assert course.passes(days=8) == TakeBack("stored")
    assert course.state == "failed"


def test_one_that_has_to_restart_is_reset_at_once():
    course = Course()
    course.knows(passwords=(OLD, NEW))
    course.says("reboot")

    assert course.passes(seconds=0) == Tell("reset")


def test_one_that_accepts_and_stays_with_the_old_one_is_reset_and_not_more_than_twice(told):
    assert told.comes() is None
    assert told.passes(seconds=119) is None
    assert told.passes(seconds=1) == Tell("reset")
    told.says("accepted", "reset")
    assert told.comes() is None
    assert told.passes(minutes=11) == Tell("reset")
    told.says("accepted", "reset")
    told.passes(minutes=11)
    assert (told.passes(days=1), told.state) == (None, "told")


def test_one_that_refuses_to_be_reset_is_waited_for(told):
    told.passes(seconds=120)
    told.says("refused", "reset", "Rejected")

    assert told.passes(hours=1) is None
    assert (told.state, "cannot be reset" in told.member.reason) == ("told", True)
    told.knows(passwords=(NEW,))
    assert told.state == "done"


def test_one_that_is_not_registered_and_one_with_too_many_unused_passwords_are_left_alone():
    unregistered = Course()
    unregistered.facts = msgspec.structs.replace(unregistered.facts, least_profile=None)
    full = Course()
    full.facts = msgspec.structs.replace(full.facts, passwords=("a", "b", "c", "d"))
    new = Rotation("stored", NEW, "sealed", NOW)

    ends = [rotating.begin(course._case(new)) for course in (unregistered, full)]

    assert [(member.state, action) for member, action in ends] == [("left_out", None), ("failed", None)]


@pytest.mark.parametrize(
    ("profile", "state"), [(0, "left_out"), (3, "left_out"), (2, "registering"), (None, "registering")]
)
def test_one_that_uses_no_password_is_left_out(profile, state):
    course = Course()
    course.facts = msgspec.structs.replace(course.facts, used_profile=profile)
    member, action = rotating.begin(course._case(Rotation("stored", NEW, "sealed", NOW)))

    assert (member.state, action is None) == (state, state == "left_out")


def test_one_that_comes_and_goes_is_told_less_and_less_often_and_its_path_does_not_grow():
    course = Course()
    course.knows(passwords=(OLD, NEW))
    told = 0
    for _ in range(1000):
        told += course.action == Tell("password")
        if course.action is not None:
            course.says("unreached", why=f"away {told}")
        course.now += timedelta(seconds=100)
        course.comes()

    assert 10 < told < 100
    assert len(course.member.path) <= 50


def test_a_password_that_the_registry_does_not_take_is_given_up():
    course = Course()

    for _ in range(11):
        course.passes(seconds=30)

    assert (course.state, course.action) == ("failed", TakeBack("stored"))


# What stations answer


@pytest.mark.parametrize(
    ("word", "broken", "answer"),
    [
        ("Accepted", "", "accepted"),
        ("Accepted", "FormationViolation", "accepted"),
        ("RebootRequired", "", "reboot"),
        ("Rejected", "", "refused"),
        ("NotSupported", "", "refused"),
        ("Rejected", "FormationViolation", "unknown"),
        ("accepted", "PropertyConstraintViolation", "unknown"),
        ("OK", "PropertyConstraintViolation", "unknown"),
        ("", "FormationViolation", "unknown"),
    ],
)
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_word_that_nobody_knows_is_no_refusal(word, broken, answer, version):
    action = "ChangeConfiguration" if version == "1.6" else "SetVariables"
    body = {"status": word} if version == "1.6" else {"setVariableResult": [{"attributeStatus": word}]}
    payload = msgspec.Raw(msgspec.json.encode(body))
    outcome = Outcome("", "CS-1", "", "", "answered", NOW, action, version, payload, error_code=broken)

    assert routes.told_of(outcome, "password").answer == answer


# Campaigns


def test_a_campaign_begins_with_so_many_a_minute_and_so_many_at_the_same_time():
    paced = campaign(per_minute=60, at_once=3)
    nothing = Counts({"waiting": 100})

    assert life.may_begin(paced, nothing, NOW) == 1
    assert life.may_begin(paced, nothing, NOW + timedelta(seconds=2)) == 3
    assert life.may_begin(paced, Counts({"waiting": 9, "told": 2}), NOW + timedelta(seconds=9)) == 1
    later = life.begun(paced, 1, NOW)
    assert life.may_begin(later, nothing, NOW) == 0
    assert life.may_begin(later, nothing, NOW + timedelta(seconds=1)) == 1


def test_what_a_campaign_did_not_use_of_its_pace_is_gone():
    paced = campaign(per_minute=60, at_once=100)
    later = life.begun(paced, 2, NOW + timedelta(hours=1))

    assert life.may_begin(later, Counts({"waiting": 9}), NOW + timedelta(hours=1)) <= 1


def test_stations_that_are_waited_for_take_no_place_from_others():
    paced = campaign(at_once=3, per_minute=6000)
    later = NOW + timedelta(hours=1)

    assert life.may_begin(paced, Counts({"waiting": 9, "told": 3}, idle=0), later) == 0
    assert life.may_begin(paced, Counts({"waiting": 9, "told": 3}, idle=2), later) == 2


def test_one_is_idle_that_was_not_reached_or_is_there_and_takes_its_time_and_not_one_that_was_told_and_has_gone():
    never_reached, takes_its_time, gone = Course(), Course(reset="never"), Course(reset="never")
    for course in (never_reached, takes_its_time, gone):
        course.knows(passwords=(OLD, NEW))
    at_work = never_reached.member.is_idle
    never_reached.says("unreached", why="away")
    never_reached.knows(online=False)
    for course in (takes_its_time, gone):
        course.says("accepted")
    takes_its_time.passes(seconds=0)
    gone.knows(online=False)

    idle = [course.member.is_idle for course in (never_reached, takes_its_time, gone)]
    assert (at_work, idle) == (False, [True, True, False])


def test_stations_that_are_left_out_are_no_failures():
    careful = campaign(stop_after_failures=2)

    assert life.judged(careful, Counts({"waiting": 5, "left_out": 9}), NOW).state == "running"


def test_failures_stop_a_campaign_and_it_ends_when_nothing_is_left():
    careful = campaign(stop_after_failures=2)
    stopped = life.judged(careful, Counts({"waiting": 5, "refused": 1, "failed": 1}), NOW)
    over = life.judged(stopped, Counts({"cancelled": 5, "refused": 1, "failed": 1}), NOW)

    assert (stopped.state, stopped.ended_at, life.may_begin(stopped, Counts({"waiting": 5}), NOW)) == (
        "stopped",
        None,
        0,
    )
    assert (over.state, over.ended_at) == ("stopped", NOW)
    assert life.judged(careful, Counts({"done": 7}), NOW).state == "completed"
