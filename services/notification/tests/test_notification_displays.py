"""Display messages: what is done about one on a station, and how a report is compared with what is wanted."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_calls import UnusableCallError
from chargebus_commanding import Outcome
from chargebus_events.frames import Frame
from chargebus_notification.displays import routes, v21, v201
from chargebus_notification.displays.domain import reports, shown
from chargebus_notification.displays.domain.limits import ASKED_FOR, TOO_MANY, DisplayLimits, Limits
from chargebus_notification.displays.domain.message import Face, Message, Target, Text, difference
from chargebus_notification.displays.domain.reports import DisplayStation
from chargebus_notification.displays.domain.shown import Ending, Shown
from chargebus_notification.displays.domain.view import side_by_side
from chargebus_notification.displays.operations import Displays, Pace, _Displays
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=1)
FACE = Face("NormalCycle", (Text("UTF8", "Free on Sundays", "en"),))
ACCEPTED = Ending("accepted")


def new(**more):
    return Shown("CS-1", "m1", 1_000_000, "a", NOW, due_at=NOW, **more)


def is_shown(**more):
    telling, _ = shown.due(new(**more), NOW)
    return shown.ended(telling, ACCEPTED, NOW)


class ManyDue(Displays):
    """Has more to do than it may at once."""

    def __init__(self):
        self.done = []
        super().__init__(NoDatabase(), None, None, Pace(50, timedelta(), timedelta()))

    async def _take_over(self, _tx, _limit):
        return []

    async def _take_due(self, _tx, limit):
        return [new()] * limit if len(self.done) < 5 else []

    async def _take_reports(self, _tx, limit):
        return [DisplayStation("CS-1")] * limit if len(self.done) < 5 else []

    async def _tell(self, _tx, taken):
        self.done.append(("told", len(taken)))
        return len(taken)

    async def _ask_reports(self, _tx, taken):
        self.done.append(("asked", len(taken)))
        return len(taken)


class NoDatabase:
    """Stands for the database: nothing is kept."""

    @asynccontextmanager
    async def transaction(self):
        yield None


async def test_no_more_stations_are_told_at_once_than_is_set():
    displays = ManyDue()
    await displays.tell()

    assert displays.done == [("told", 50), ("asked", 50)]


# One message on one station


def test_O01_a_message_is_told_and_then_shown():
    telling, order = shown.due(new(), NOW)

    assert (order, telling.status) == ("tell", "telling")
    after = shown.ended(telling, ACCEPTED, SOON)
    assert (after.status, after.told, after.due_at) == ("shown", "a", None)


@pytest.mark.parametrize(
    "word", ["NotSupportedMessageFormat", "Rejected", "NotSupportedPriority", "NotSupportedState", "UnknownTransaction"]
)
def test_a_refusal_is_kept_with_the_stations_word_and_not_asked_again(word):
    telling, _ = shown.due(new(), NOW)
    after = shown.ended(telling, Ending("refused", word, "why"), SOON)

    assert (after.status, after.reason, after.detail, after.due_at) == ("refused", word, "why", None)


@pytest.mark.parametrize(("word", "status"), [("Rejected", "waiting"), ("UnknownTransaction", "refused")])
def test_after_a_boot_a_refused_message_is_told_again_unless_its_transaction_is_unknown(word, status):
    telling, _ = shown.due(new(), NOW)
    refused = shown.ended(telling, Ending("refused", word), NOW)

    assert shown.woken(refused, SOON, booted=True).status == status
    assert shown.woken(refused, SOON, booted=False) == refused


def test_a_station_that_is_away_is_told_once_it_is_back_and_at_the_latest_within_an_hour():
    known = new()
    for _ in range(20):
        telling, _ = shown.due(known, NOW)
        known = shown.ended(telling, Ending("away"), NOW)
    assert known.status == "waiting"
    assert known.due_at == NOW + shown.LAST_RETRY
    assert shown.woken(known, SOON, booted=False).due_at == SOON


def test_nothing_is_asked_anew_while_a_command_is_under_way():
    telling, _ = shown.due(new(), NOW)

    assert shown.woken(telling, SOON, booted=True) == telling
    assert shown.compared(telling, None, SOON, SOON) == telling
    assert shown.want(telling, "b", None, SOON).asking == "a"


def test_O12_a_message_that_was_changed_while_it_was_told_is_told_anew():
    telling, _ = shown.due(new(), NOW)
    after = shown.ended(shown.want(telling, "b", None, NOW), ACCEPTED, SOON)

    assert (after.status, after.told, after.due_at) == ("waiting", "a", SOON)


def test_O05_a_message_that_is_wanted_no_more_is_cleared():
    clearing, order = shown.due(shown.unwant(is_shown(), NOW), NOW)

    assert (order, clearing.status) == ("clear", "clearing")
    assert shown.ended(clearing, ACCEPTED, SOON).status == "gone"


def test_a_message_that_no_station_had_is_gone_at_once():
    assert shown.unwant(new(), SOON).status == "gone"


def test_a_message_that_a_station_may_have_is_cleared():
    telling, _ = shown.due(new(), NOW)
    unknown = shown.ended(telling, Ending("unknown"), NOW)

    assert shown.unwant(unknown, SOON).status == "clearing"


def test_a_message_is_wanted_again_while_it_is_cleared():
    clearing, _ = shown.due(shown.unwant(is_shown(), NOW), NOW)
    after = shown.ended(shown.want(clearing, "a", None, NOW), ACCEPTED, SOON)

    assert (after.status, after.due_at) == ("waiting", SOON)


def test_O14_the_end_of_a_message_needs_no_command():
    known = is_shown(ends_at=SOON)
    after, order = shown.due(known, SOON)

    assert (after.status, order) == ("over", None)
    assert shown.compared(after, (), NOW + timedelta(hours=1), NOW + timedelta(hours=1)).status == "clearing"


@pytest.mark.parametrize(
    ("unlike", "status", "repaired"), [((), "shown", 0), (("priority",), "waiting", 1), (None, "waiting", 1)]
)
def test_what_a_station_reports_otherwise_or_not_at_all_is_repaired(unlike, status, repaired):
    after = shown.compared(is_shown(), unlike, SOON, SOON)

    assert (after.status, after.repaired) == (status, repaired)


def test_a_report_does_not_judge_what_changed_after_it_was_asked_for():
    known = is_shown()

    assert shown.compared(known, None, NOW - timedelta(seconds=1), SOON) == known


def test_a_message_whose_answer_was_lost_is_shown_if_the_station_reports_it():
    telling, _ = shown.due(new(), NOW)
    unknown = shown.ended(telling, Ending("unknown"), NOW)

    after = shown.compared(unknown, (), SOON, SOON)
    assert (after.status, after.told, after.reason) == ("shown", "a", "")


STEPS = st.sampled_from(
    ["want b", "want a", "unwant", "due", "accepted", "refused", "away", "unknown", "boot", "report"]
)


@given(st.lists(STEPS, max_size=30))
def test_whatever_happens_a_command_is_under_way_once_and_what_is_wanted_is_due_shown_or_refused(steps):
    known = new()
    for number, step in enumerate(steps):
        now = NOW + timedelta(minutes=number)
        match step.split():
            case ["want", fingerprint]:
                known = shown.want(known, fingerprint, None, now)
            case ["unwant"]:
                known = shown.unwant(known, now)
            case ["due"] if known.due_at is not None and not known.is_under_way:
                known, _ = shown.due(known, now)
            case ["boot"]:
                known = shown.woken(known, now, booted=True)
            case ["report"]:
                known = shown.compared(known, None, now, now)
            case [kind] if kind != "due":
                known = shown.ended(known, Ending(kind), now)
        rests = known.status in ("shown", "refused", "gone", "unsupported")
        assert rests == (known.due_at is None)
        assert known.is_under_way == (known.status in ("telling", "clearing") and known.asking != "")
        if known.status == "shown":
            assert known.is_wanted
            assert known.told == known.wanted


# Reports


def test_parts_belong_to_the_report_that_was_asked_for_last():
    first = reports.asked(DisplayStation("CS-1"), NOW)
    second = reports.asked(first, SOON)

    assert reports.is_of(second, second.request_id)
    assert not reports.is_of(second, first.request_id)
    assert not reports.is_of(DisplayStation("CS-1"), 0)


def test_a_report_whose_last_part_does_not_come_is_asked_for_again_and_then_incomplete():
    station = reports.wanted(DisplayStation("CS-1"), NOW)
    states = []
    for _ in range(reports.MOST_TRIES):
        station = reports.overdue(reports.asked(station, NOW), NOW)
        states.append(station.report)

    assert states == ["due", "due", "incomplete"]
    assert station.due_at is None


def test_a_number_that_somebody_else_uses_is_not_taken():
    station = reports.numbered(DisplayStation("CS-1"), [7, reports.FIRST_NUMBER + 5, 2**31])

    assert station.next_number == reports.FIRST_NUMBER + 6


@pytest.mark.parametrize(
    ("change", "unlike"),
    [
        ({}, ()),
        ({"priority": "InFront"}, ("priority",)),
        ({"texts": (Text("UTF8", "Free on Mondays"),)}, ("texts",)),
        ({"texts": (Text("UTF8", "Free on Sundays"),)}, ()),
        ({"state": "Idle"}, ()),
        ({"starts_at": NOW}, ()),
    ],
)
def test_what_was_not_said_is_for_the_station_to_fill_in(change, unlike):
    assert difference(FACE, msgspec.structs.replace(FACE, **change)) == unlike


def test_wanted_stands_beside_reported_number_by_number():
    def known(number, status, **more):
        return Shown("CS-1", f"m{number}", number, "a", NOW, status=status, **more)

    rows = [known(1, "shown"), known(2, "shown"), known(3, "shown"), known(4, "gone", is_wanted=False)]
    rows += [known(5, "refused"), known(6, "gone", is_wanted=False)]
    messages = {row.message_id: Message(row.message_id, Target(("CS-1",)), FACE, NOW, NOW) for row in rows}
    other = msgspec.structs.replace(FACE, priority="InFront")
    entries = list(side_by_side(rows, messages, {1: FACE, 2: other, 4: FACE, 9: other}, lambda face: face))

    assert [(each.number, each.verdict) for each in entries] == [
        (1, "as wanted"),
        (2, "differs"),
        (3, "missing"),
        (4, "not wanted"),
        (5, "not shown"),
        (9, "of others"),
    ]


# Words of each version


def test_only_OCPP_2_1_has_QR_codes_further_states_and_other_languages():
    rich = Face("InFront", (Text("QRCODE", "https://pay"), Text("UTF8", "Zahlen", "de")), state="Discharging")
    told = v21.set_message(7, rich)

    assert told["message"]["message"] == {"format": "QRCODE", "content": "https://pay"}
    assert told["message"]["messageExtra"] == [{"format": "UTF8", "language": "de", "content": "Zahlen"}]
    assert routes.why_not("2.0.1", rich)
    assert not routes.why_not("2.1", rich)
    assert [form.versions for form in routes.set_forms(7, rich)] == [("2.1",)]
    assert routes.told("2.0.1", rich).texts == rich.texts[:1]


def test_stations_of_1_6_have_no_displays():
    assert routes.why_not("1.6", FACE) == "OCPP 1.6 has no display messages"


def test_O03_a_part_of_a_report_is_read():
    message = v201.message(5, msgspec.structs.replace(FACE, ends_at=NOW, state="Idle"))
    payload = msgspec.json.encode({"requestId": 3, "tbc": True, "messageInfo": [message]})
    part = v201.part(Frame("CS-1", "2.0.1", "NotifyDisplayMessages", "m", 0, 7, 1, payload, NOW))

    assert (part.request_id, part.is_last) == (3, False)
    assert part.messages == ((5, msgspec.structs.replace(FACE, ends_at=NOW, state="Idle")),)
    with pytest.raises(UnusableCallError):
        v201.part(Frame("CS-1", "2.0.1", "NotifyDisplayMessages", "m", 0, 7, 1, b"{}", NOW))


def outcome(name, **more):
    return Outcome("c1", "CS-1", "display_message", "", name, NOW, **more)


@pytest.mark.parametrize(
    ("order", "ended", "kind"),
    [
        ("tell", outcome("answered", payload=msgspec.Raw(b'{"status":"Accepted"}')), "accepted"),
        ("tell", outcome("answered", payload=msgspec.Raw(b'{"status":"Rejected"}')), "refused"),
        ("clear", outcome("answered", payload=msgspec.Raw(b'{"status":"Unknown"}')), "accepted"),
        ("tell", outcome("answered", payload=msgspec.Raw(b"{}"), error_code="FormationViolation"), "unknown"),
        ("tell", outcome("refused", error_code="NotImplemented"), "unsupported"),
        ("tell", outcome("refused", error_code="InternalError"), "refused"),
        ("tell", outcome("timed_out"), "unknown"),
        ("tell", outcome("expired"), "away"),
        ("tell", outcome("undeliverable"), "away"),
    ],
)
def test_what_the_end_of_a_command_means(order, ended, kind):
    assert routes.ending(order, ended).kind == kind


# What a display takes


def variable(name, value, status="Accepted", attribute="Actual"):
    return {
        "attributeStatus": status,
        "attributeType": attribute,
        "attributeValue": value,
        "component": {"name": "DisplayMessageCtrlr"},
        "variable": {"name": name},
    }


def test_what_a_display_takes_is_asked_in_the_words_of_each_version():
    asked = {form.versions[0]: json.loads(bytes(form.payload))["getVariableData"] for form in routes.limits_forms()}
    names = {version: [each["variable"]["name"] for each in data] for version, data in asked.items()}

    assert names["2.0.1"] == [
        "Available",
        "NumberDisplayMessages",
        "SupportedFormats",
        "SupportedPriorities",
        "SupportedStates",
    ]
    assert set(names["2.1"]) - set(names["2.0.1"]) == {"DisplayMessages", "QRCodeDisplayCapable"}
    largest = [each["variable"]["name"] for data in asked.values() for each in data if "attributeType" in each]
    assert largest == ["NumberDisplayMessages", "DisplayMessages"]


def test_what_a_display_takes_is_read_and_what_cannot_be_was_not_said():
    answer = {
        "getVariableResult": [
            variable("Available", "TRUE"),
            variable("DisplayMessages", "3", attribute="MaxSet"),
            variable("SupportedFormats", "ASCII, UTF8"),
            variable("SupportedPriorities", "", status="UnknownVariable"),
            variable("SupportedStates", ""),
            variable("QRCodeDisplayCapable", "false"),
        ]
    }

    assert v21.limits(answer) == Limits(available=True, most=3, formats=("ASCII", "UTF8"), qr_codes=False)
    assert v21.limits({"getVariableResult": [variable("DisplayMessages", "many"), None, {}]}) == Limits()
    assert v21.limits({"getVariableResult": {}}) == Limits()
    for largest in ("9" * 5000, "0", "²"):
        assert v21.limits({"getVariableResult": [variable("DisplayMessages", largest)]}) == Limits()


@pytest.mark.parametrize(
    ("limits", "change", "reason", "why"),
    [
        (Limits(formats=("ASCII",)), {"texts": (Text("HTML", "<b>"),)}, "NotSupportedMessageFormat", "takes ASCII"),
        (Limits(formats=("ASCII",)), {"texts": (Text("UTF8", "Ä"),)}, "NotSupportedMessageFormat", "not UTF8"),
        (Limits(qr_codes=False), {"texts": (Text("QRCODE", "x"),)}, "NotSupportedMessageFormat", "QR codes"),
        (Limits(priorities=("InFront",)), {}, "NotSupportedPriority", "not NormalCycle"),
        (Limits(states=("Idle",)), {"state": "Charging"}, "NotSupportedState", "not Charging"),
        (Limits(most=2), {}, TOO_MANY, "holds 2 messages, and has 2"),
        (Limits(available=False), {}, "NotSupported", "not available"),
    ],
)
def test_what_a_display_does_not_take_is_refused_with_words(limits, change, reason, why):
    face = msgspec.structs.replace(FACE, **change)
    refusal = limits.why_not(limits.told(face), 2)

    assert refusal.reason == reason
    assert why in refusal.detail
    assert Limits().why_not(face, 2) is None


def test_what_a_display_takes_is_told():
    every = Limits(
        available=True,
        most=3,
        formats=("UTF8",),
        priorities=("NormalCycle",),
        states=("Idle",),
        qr_codes=True,
    )

    assert every.why_not(FACE, 2) is None
    assert every.why_not(msgspec.structs.replace(FACE, state="Idle", texts=(Text("QRCODE", "x"),)), 2) is None


def test_text_without_accents_is_told_as_ASCII_where_that_is_all_a_display_takes():
    assert Limits(formats=("ASCII", "URI")).told(FACE).texts == (Text("ASCII", "Free on Sundays", "en"),)
    assert Limits(formats=("ASCII", "UTF8")).told(FACE) == FACE
    assert Limits().told(FACE) == FACE


def test_messages_wait_a_minute_for_what_a_display_takes():
    asked = DisplayLimits("CS-1", NOW)

    assert asked.waits_until(NOW) == NOW + timedelta(seconds=5)
    assert asked.waits_until(SOON - timedelta(seconds=1)) == NOW + ASKED_FOR
    assert asked.waits_until(NOW + ASKED_FOR) is None
    assert msgspec.structs.replace(asked, state="told").waits_until(NOW) is None
    waiting = shown.put_off(new(), NOW + ASKED_FOR)
    assert (waiting.status, waiting.due_at, waiting.is_under_way) == ("waiting", NOW + ASKED_FOR, False)


def test_a_station_of_which_nothing_is_heard_yet_is_asked_what_its_display_takes():
    displays = _Displays({}, {})

    assert displays.waits_until("CS-1", "", NOW) is not None
    assert displays.waits_until("CS-2", "2.1", NOW) is not None
    assert displays.waits_until("CS-3", "1.6", NOW) is None
    assert [each.station_id for each in displays.asked] == ["CS-1", "CS-2"]


def test_what_is_over_is_on_no_display_any_more_also_where_it_got_lost():
    lost = new(status="telling", asking="a", told="b", ends_at=SOON)
    over, order = shown.due(lost, SOON)

    assert (over.status, order, over.is_held, over.is_under_way) == ("over", None, False, False)
    assert lost.is_held
    assert shown.want(over, "c", None, SOON).due_at == SOON


def test_a_message_that_got_lost_takes_no_room_from_itself():
    lost, other = new(status="telling", asking="a"), new()
    displays = _Displays({}, {"CS-1": 2})

    assert (displays.others(lost), displays.others(other)) == (1, 2)
    displays.add(lost)
    assert displays.others(other) == 2
