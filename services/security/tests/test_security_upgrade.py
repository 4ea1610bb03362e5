"""What is decided about a station's security profile: plain values, one step after the other."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from chargebus_security.credentials import v201
from chargebus_security.credentials.domain import upgrading
from chargebus_security.credentials.domain.campaign import Campaign, Rules, new_member
from chargebus_security.credentials.domain.case import Case
from chargebus_security.credentials.domain.facts import AskCertificate, AskRoots, Facts, SetLeast, Tell, Told
from chargebus_security.credentials.domain.upgrade import Network, Upgrade
from chargebus_security.trust.domain.policy import Selector

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Course:
    """A station's way to another profile."""

    def __init__(self, profile=2, *, version="2.0.1", facts=None, **more) -> None:
        rules = Rules(return_within_s=100, **more.pop("rules", {}))
        self.campaign = Campaign(
            campaign_id=uuid4(),
            kind="upgrade",
            name="",
            selector=Selector(),
            rules=rules,
            created_at=NOW,
            until=NOW + timedelta(days=7),
            begun_up_to=NOW,
            changed_at=NOW,
            profile=profile,
            **{"network": Network("wss://csms/ocpp"), "check_root": False, **more},
        )
        known = {"online": True, "epoch": 7, "ocpp_version": version, "used_profile": 1, "least_profile": 1}
        self.facts = Facts(**known | (facts or {}))
        self.now = NOW
        self.member = new_member(self.campaign.campaign_id, "CS-1", NOW)
        work = Upgrade(NOW, self.facts.used_profile, self.facts.least_profile or 0, 7)
        self.action: object = None
        self._take(upgrading.begin(self._case(work)))

    @property
    def state(self) -> str:
        return self.member.state

    def _case(self, work=None) -> Case:
        return Case(self.member, work or self.member.work, self.campaign, self.facts, self.now)

    def _take(self, decision) -> object:
        self.member, self.action = decision
        return self.action

    def knows(self, **facts) -> object:
        self.facts = msgspec.structs.replace(self.facts, **facts)
        return self._take(upgrading.look(self._case()))

    def comes(self, profile: int, **facts) -> object:
        known = {"online": True, "epoch": self.facts.epoch + 1, "used_profile": profile, "connected_at": self.now}
        self.facts = msgspec.structs.replace(self.facts, **known | facts)
        self.member = upgrading.back(self.member, self.now)
        return self._take(upgrading.look(self._case()))

    def says(self, answer: str = "accepted", order: str | None = None, value: str = "", why: str = "") -> object:
        told = Told(order or self.action.order, answer, why, value)
        return self._take(upgrading.answered(self._case(), told))

    def reads(self, order: str, held: str = "") -> object:
        """Have a station of 2.x tell the order of its networks, and where those that are not in it lead."""
        asked = self.says(value=order)
        return self.says(value=held) if asked is not None and asked.order == "slots" else asked

    def passes(self, **time) -> object:
        self.now += timedelta(**time)
        due = self.member.due_at is not None and self.member.due_at <= self.now
        return self._take(upgrading.look(self._case())) if due else None

    def is_told(self) -> "Course":
        """Have a station of 2.x take its network, its order and the reset."""
        assert self.reads("0") == Tell("network", "1")
        assert self.says() == Tell("priority", "1,0")
        assert self.says() == Tell("reset")
        self.says()
        assert self.state == "told"
        return self


def test_the_least_profile_is_raised_when_the_station_was_seen_with_the_new_one_and_not_before():
    course = Course().is_told()

    assert course.knows(online=False) is None
    assert course.comes(2) == SetLeast(2)
    assert course.state == "raising"
    course.knows(least_profile=2)
    assert course.state == "done"


def test_a_station_of_1_6_is_told_its_profile_and_finds_the_address_itself():
    course = Course(version="1.6", network=None)

    assert course.action == Tell("profile", "2")
    course.says()
    assert course.comes(2) == SetLeast(2)


def test_one_that_comes_back_with_the_old_profile_is_changed_back():
    course = Course().is_told()

    assert course.comes(1, booted_at=course.now) == Tell("priority", "0")
    course.says(order="priority")
    assert (course.state, course.member.reason) == ("rolled_back", "it came back with profile 1")


def test_a_connection_that_is_lost_and_made_anew_is_no_restart_yet():
    course = Course().is_told()
    course.passes(seconds=90)

    assert course.comes(1) is None
    assert course.passes(seconds=99) is None
    assert course.passes(seconds=1) == Tell("priority", "0")


def test_one_that_restarts_after_its_connection_was_lost_is_not_changed_back():
    course = Course().is_told()
    course.comes(1)
    course.passes(seconds=50)

    assert course.comes(2) == SetLeast(2)


@pytest.mark.parametrize("reset", ["never", "idle"])
def test_one_that_has_to_be_restarted_is_waited_for(reset):
    course = Course(version="1.6", rules={"reset": reset})
    course.says("reboot")

    assert course.passes(hours=5) is None
    assert course.comes(1) is None
    assert course.passes(hours=5) is None
    assert course.state == "told"
    assert course.comes(1, booted_at=course.now) == Tell("profile", "1")


def test_one_that_restarts_by_itself_is_not_reset_once_more():
    course = Course()
    course.reads("0")
    course.says()
    course.says()
    course.says("unreached", "reset", why="it has gone")

    assert course.comes(2) == SetLeast(2)


def test_a_connection_from_before_it_was_told_that_is_heard_of_later_is_no_return():
    course = Course(version="1.6")
    course.says()
    before = NOW - timedelta(seconds=1)

    assert course.comes(1, connected_at=before, booted_at=before) is None
    assert course.state == "told"
    assert course.comes(2) == SetLeast(2)


def test_one_that_is_back_before_its_answer_is_heard_of_is_looked_at_at_once():
    course = Course(version="1.6")
    course.facts = msgspec.structs.replace(course.facts, epoch=8, used_profile=2)
    course.says()

    assert course.passes(seconds=0) == SetLeast(2)


def test_one_of_1_6_that_stays_is_told_its_old_profile_whatever_it_makes_of_that():
    course = Course(version="1.6")
    course.says()

    assert course.passes(seconds=100) == Tell("profile", "1")
    course.says("refused", "profile", why="Rejected")
    assert course.state == "unconfirmed"
    assert "taken back: refused: Rejected" in course.member.reason


def test_one_that_is_away_is_waited_for_and_is_not_changed_back_behind_its_back():
    course = Course().is_told()
    course.knows(online=False)

    assert course.passes(hours=1) is None
    assert course.state == "told"
    course.passes(days=7)
    assert (course.state, course.action) == ("unconfirmed", None)


def test_what_is_refused_before_anything_was_changed_changes_nothing():
    course = Course()
    course.reads("0,1")
    assert course.action == Tell("network", "2")
    course.says("refused", why="Rejected")

    assert (course.state, course.action, course.member.reason) == ("refused", None, "network: Rejected")


def test_one_that_refuses_to_be_reset_has_its_order_back():
    course = Course()
    course.reads("0")
    course.says()
    course.says()

    assert course.says("refused", why="Rejected") == Tell("priority", "0")


def test_an_order_whose_answer_is_lost_is_told_again_and_then_taken_back():
    course = Course()
    course.reads("0")
    course.says()
    for _ in range(2):
        assert course.says("unknown", "priority") is None
        assert course.passes(minutes=2) == Tell("priority", "1,0")

    assert course.says("unknown", "priority") == Tell("priority", "0")


def test_one_that_was_not_reached_is_told_when_it_comes():
    course = Course()
    course.says("unreached", why="away")
    course.knows(online=False)

    assert course.comes(1) == Tell("read")


def test_a_reset_that_waits_until_nobody_charges_is_waited_for():
    course = Course()
    course.reads("0")
    course.says()
    course.says()
    course.says(value="Scheduled")

    assert course.passes(hours=10) is None
    assert course.comes(2) == SetLeast(2)


def test_a_slot_that_holds_a_network_is_not_taken_though_it_is_not_in_the_order():
    course = Course()
    assert course.says(value="0") == Tell("slots", "1,2,3,4,5,6,7,8,9")
    assert course.says(value="1 wss://another/ocpp\n3 wss://csms/ocpp") == Tell("network", "2")
    assert Course().reads("0,2", "1 wss://another/ocpp\n3 wss://csms/ocpp") == Tell("network", "3")


@pytest.mark.parametrize("answer", ["refused", "unknown"])
def test_a_station_that_does_not_tell_what_its_slots_hold_gets_the_first_that_is_not_in_its_order(answer):
    course = Course()
    course.says(value="0")
    assert course.says(answer, why="UnknownComponent") == Tell("network", "1")


def test_a_slot_that_is_named_and_holds_another_network_is_left_alone():
    course = Course(network=Network("wss://csms/ocpp", slot=4))
    assert course.says(value="0") == Tell("slots", "4")
    assert course.says(value="4 wss://another/ocpp") is None
    assert (course.state, "4: wss://another/ocpp" in course.member.reason) == ("failed", True)


def test_a_station_that_boots_whenever_it_connects_is_not_taken_to_have_restarted():
    course = Course().is_told()
    course.comes(1, booted_at=NOW + timedelta(seconds=1), boots_always=True)
    assert course.state == "told"
    course.passes(seconds=100)
    assert course.state == "rolling_back"


def test_what_slots_hold_is_read_of_whatever_a_station_says():
    def result(instance, value, status="Accepted"):
        return {"attributeStatus": status, "attributeValue": value, "component": {"instance": instance}}

    told = [result("1", "wss://a"), result("2", ""), result("x", "wss://b"), result("3", "c", "UnknownComponent"), 7]
    assert v201.held_slots({"getVariableResult": told}) == "1 wss://a"
    assert [v201.held_slots(members) for members in ({}, {"getVariableResult": 1})] == ["", ""]


def test_without_a_free_slot_nothing_is_told():
    course = Course(network=Network("wss://csms/ocpp", slot=1))
    course.reads("1,0")

    assert course.state == "failed"


def test_A05_no_profile_is_lowered_unless_that_is_meant():
    high = {"used_profile": 2, "least_profile": 2}

    assert Course(1, facts=high).state == "refused"
    assert Course(1, facts={"used_profile": 2}).state == "refused"
    meant = Course(1, facts=high, allow_downgrade=True)
    assert meant.action == SetLeast(1, lowers=True)
    assert meant.knows(least_profile=1) == Tell("read")


def test_a_downgrade_that_is_refused_has_the_least_profile_as_before():
    course = Course(1, facts={"used_profile": 2, "least_profile": 2}, allow_downgrade=True)
    course.knows(least_profile=1)

    assert course.says("refused", why="Rejected") == SetLeast(2)


@pytest.fixture
def lowered() -> Course:
    """A station of 1.6 that has taken a lower profile, and stays."""
    course = Course(1, version="1.6", facts={"used_profile": 2, "least_profile": 2}, allow_downgrade=True)
    course.knows(least_profile=1)
    course.says()
    course.passes(seconds=100)
    assert course.action == Tell("profile", "2")
    return course


@pytest.mark.parametrize("answer", ["accepted", "reboot"])
def test_the_least_profile_is_as_before_when_a_downgrade_was_changed_back(lowered, answer):
    assert lowered.says(answer) == SetLeast(2)
    assert lowered.state == "rolled_back"


def test_the_least_profile_stays_low_while_a_station_may_come_in_by_the_lower_one(lowered):
    refused = (lowered.says("refused"), lowered.state)

    assert refused == (None, "unconfirmed")


def test_the_least_profile_stays_low_where_a_station_is_not_there_to_be_changed_back(lowered):
    lowered.says("unreached")
    lowered.knows(online=False)
    lowered.passes(days=8)

    assert (lowered.state, lowered.action) == ("unconfirmed", None)


def test_an_order_that_is_refused_after_an_answer_was_lost_is_changed_back():
    course = Course()
    course.reads("0")
    course.says()
    course.says("unknown", "priority")
    course.passes(minutes=2)

    assert course.says("refused", why="Rejected") == Tell("priority", "0")


def test_for_profile_3_the_certificate_comes_first():
    course = Course(3)

    assert (course.state, course.action) == ("certificate", AskCertificate())
    assert course.passes(seconds=5) is None
    assert course.knows(has_certificate=True) == Tell("read")


@pytest.mark.parametrize("age", [-1, 1])
def test_a_certificate_that_the_station_declined_since_ends_it_and_an_older_one_does_not(age):
    course = Course(3)
    course.knows(certificate_state="declined", certificate_at=NOW + timedelta(seconds=age))

    assert course.state == ("failed" if age > 0 else "certificate")


def test_one_without_a_certificate_in_time_is_left_as_it_is():
    course = Course(3)
    course.passes(hours=1)

    assert (course.state, course.action) == ("failed", None)


def test_a_station_without_a_root_for_the_csms_is_not_told():
    without = Course(check_root=True)
    asked = without.action
    without.knows(roots_told_at=NOW + timedelta(seconds=1))
    silent = Course(check_root=True)
    silent.passes(minutes=10)

    assert (asked, without.state, silent.state) == (AskRoots(), "failed", "failed")
    assert Course(check_root=True, facts={"roots": 1}).action == Tell("read")


def test_one_that_uses_the_profile_already_has_it_as_the_least_from_now_on():
    assert Course(facts={"used_profile": 2}).action == SetLeast(2)
    assert Course(facts={"used_profile": 2, "least_profile": 2}).state == "done"


def test_a_least_profile_that_an_operator_sets_higher_meanwhile_stands():
    course = Course().is_told()
    course.facts = msgspec.structs.replace(course.facts, least_profile=3)

    assert course.comes(2) is None
    assert course.state == "done"


def test_the_least_profile_is_lowered_for_one_that_uses_a_lower_one_if_that_is_meant():
    course = Course(1, facts={"least_profile": 2}, allow_downgrade=True)

    assert course.action == SetLeast(1, lowers=True)
    course.knows(least_profile=1)
    assert course.state == "done"


def test_one_of_which_no_profile_is_known_is_told_nothing():
    course = Course(facts={"used_profile": None})

    assert (course.state, course.action) == ("left_out", None)


def test_one_that_comes_and_goes_is_told_less_and_less_often():
    course = Course()
    told = 0
    for _ in range(100):
        told += course.action == Tell("read")
        if course.action is not None:
            course.says("unreached", why="it has gone")
        course.now += timedelta(seconds=10)
        course.comes(1)

    assert told < 10
    assert len(course.member.path) < 60


def test_one_whose_restart_is_waited_for_is_idle_and_one_that_is_restarted_now_is_not():
    restarted, waits, away = Course().is_told(), Course(rules={"reset": "never"}), Course()
    waits.reads("0")
    waits.says()
    waits.says()
    away.says("unreached", why="away")

    assert [(course.state, course.member.is_idle) for course in (restarted, waits, away)] == [
        ("told", False),
        ("told", True),
        ("reading", True),
    ]


def test_one_that_sends_no_csr_is_asked_again():
    course = Course(3)

    asked = [course.passes(seconds=5) for _ in range(130)]

    assert asked.count(AskCertificate()) == 2


def test_a_station_of_2_x_needs_a_network():
    assert Course(network=None).state == "failed"


def test_an_answer_to_something_else_changes_nothing():
    course = Course()
    assert course.says(order="priority") is None
    assert course.state == "reading"
