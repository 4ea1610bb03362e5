"""In what ways stations break the schemas: how that is treated by make, and how an edge counts and tells it."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_edge.door.registry import Registry
from chargebus_edge.door.tolerance import LENIENT, STRICT, Make, tolerance
from chargebus_edge.log import routes
from chargebus_edge.log.deviations import DETAIL_LIMIT, MOST, TELL_EVERY_S, DeviationCounts
from chargebus_events.deviations import DeviationReport
from chargebus_events.frames import Frame
from chargebus_events.record import Received
from chargebus_events.registry import DEVIATION_RULES_KEY, DeviationRule, DeviationRules, RegisteredStation
from chargebus_events.topics import DEVIATIONS

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
ACME = Make("Acme", "One", "1.4.2")


def treated(*rules, make=ACME, action="Authorize", kind="too_long", strict=False):
    return tolerance(make, rules, strict=strict).treatment(action, kind)


# How deviations of a make are treated


def test_without_a_rule_a_make_is_treated_like_all_others():
    assert tolerance(ACME, (), strict=False) is LENIENT
    assert LENIENT.treatment("Authorize", "too_long") is None


def test_nothing_is_accepted_of_a_strict_station_whatever_the_rules_say():
    assert tolerance(ACME, (DeviationRule("accept"),), strict=True) is STRICT
    assert STRICT.treatment("Authorize", "too_long") == "refuse"


@pytest.mark.parametrize(
    "rule",
    [
        DeviationRule("refuse"),
        DeviationRule("refuse", vendor="ACME"),
        DeviationRule("refuse", vendor="ac*", model="one"),
        DeviationRule("refuse", firmware_version="1.4.*"),
        DeviationRule("refuse", action="Authorize", kind="too_long"),
    ],
)
def test_a_rule_is_about_what_it_names_and_any_of_what_it_does_not(rule):
    assert treated(rule) == "refuse"


@pytest.mark.parametrize(
    "rule",
    [
        DeviationRule("refuse", vendor="Acm"),
        DeviationRule("refuse", model="Two"),
        DeviationRule("refuse", firmware_version="1.5*"),
        DeviationRule("refuse", vendor="Acme", action="StopTransaction"),
        DeviationRule("refuse", kind="missing"),
    ],
)
def test_a_rule_is_not_about_what_differs_from_it(rule):
    assert treated(rule) is None


@pytest.mark.parametrize(
    ("general", "special"),
    [
        (DeviationRule("refuse"), DeviationRule("accept", vendor="Acme")),
        (DeviationRule("refuse", vendor="Acme"), DeviationRule("accept", vendor="Acme", kind="too_long")),
        (DeviationRule("refuse", firmware_version="1.*"), DeviationRule("accept", firmware_version="1.4.2")),
    ],
)
def test_the_rule_that_names_most_counts(general, special):
    assert treated(general, special) == treated(special, general) == "accept"


def test_of_two_rules_that_name_as_much_the_one_that_refuses_counts():
    accept, refuse = DeviationRule("accept", vendor="Acme"), DeviationRule("refuse", model="One")
    assert treated(accept, refuse) == treated(refuse, accept) == "refuse"


def test_a_station_that_never_booted_is_of_no_make():
    assert treated(DeviationRule("refuse", vendor="Acme"), make=Make()) is None
    assert treated(DeviationRule("refuse"), make=Make()) == "refuse"


def test_what_is_read_only_by_a_rule_is_refused_without_one():
    assert LENIENT.accepts("Authorize", "too_long")
    assert not LENIENT.accepts("Authorize", "epoch_time")
    assert tolerance(ACME, (DeviationRule("accept", vendor="Acme"),), strict=False).accepts("Authorize", "epoch_time")
    assert not STRICT.accepts("Authorize", "too_long")


# The registry tells of both


def received(record):
    return Received(record.topic, 0, 0, record.key, record.value, dict(record.headers))


def test_rules_and_makes_come_with_the_registry():
    changes = []
    registry = Registry(changes.append)
    registry.apply(received(RegisteredStation("A", "accepted", "hash", NOW, vendor="Acme").record()))
    registry.apply(received(RegisteredStation("B", "accepted", "hash", NOW, vendor="Acme", strict=True).record()))
    registry.apply(received(DeviationRules(NOW, (DeviationRule("accept", vendor="acme"),)).record()))

    assert registry.tolerance(registry.find("A")).treatment("Authorize", "epoch_time") == "accept"
    assert registry.tolerance(registry.find("B")) is STRICT
    assert changes == ["A", "B", DEVIATION_RULES_KEY]


def test_rules_that_cannot_be_read_leave_those_before():
    registry = Registry([].append)
    registry.apply(received(RegisteredStation("A", "accepted", "hash", NOW).record()))
    registry.apply(received(DeviationRules(NOW, (DeviationRule("refuse"),)).record()))
    unreadable = Received("station.registry", 0, 1, DEVIATION_RULES_KEY, b'{"rules":7}', {})
    with pytest.raises(msgspec.MsgspecError):
        registry.apply(unreadable)
    registry.refuse(unreadable)

    assert registry.tolerance(registry.find("A")).treatment("Authorize", "too_long") == "refuse"


# What is counted, and when it is told


class Counting:
    def __init__(self):
        self.counts = DeviationCounts()
        self.now = 0.0

    def note(self, *found, action="StatusNotification", refused=False):
        at = NOW + timedelta(seconds=self.now)
        self.counts.note(action, found, at, self.now, refused=refused)

    def told(self):
        return [(each.action, each.kind, each.path, each.count) for each in self.counts.take()]


@pytest.fixture
def counting():
    return Counting()


TOO_LONG = ("too_long", "info", "80 characters")


def test_what_is_new_is_told_at_the_next_look_and_what_is_known_once_a_minute(counting):
    counting.note(TOO_LONG)
    assert counting.counts.is_due(0.0)
    assert counting.told() == [("StatusNotification", "too_long", "info", 1)]
    for _ in range(500):
        counting.now += 0.1
        counting.note(TOO_LONG)
    assert not counting.counts.is_due(TELL_EVERY_S)
    assert counting.counts.is_due(0.1 + TELL_EVERY_S)
    assert counting.told() == [("StatusNotification", "too_long", "info", 501)]
    assert not counting.counts.is_due(1e9)


def test_something_new_is_told_though_the_minute_of_what_is_known_is_not_over(counting):
    counting.note(TOO_LONG)
    counting.counts.take()
    counting.note(TOO_LONG)
    counting.note(TOO_LONG, action="MeterValues")
    assert counting.counts.is_due(0.0)
    assert len(counting.told()) == 2


def test_a_frame_counts_once_for_each_kind_and_place_however_long_its_list_is(counting):
    counting.note(*(("unknown_value", f"meterValue/{n}/sampledValue/2/unit", "Hz") for n in range(50)))
    assert counting.told() == [("StatusNotification", "unknown_value", "meterValue/*/sampledValue/*/unit", 1)]


def test_a_station_that_makes_up_properties_takes_a_bounded_memory_and_all_are_counted(counting):
    for number in range(10 * MOST):
        counting.note(("extra_property", f"made-up-{number}", ""))
    told = counting.told()
    assert len(told) == MOST + 1
    assert ("StatusNotification", "extra_property", "*", 9 * MOST) in told


def test_a_detail_is_bounded_and_printable(counting):
    counting.note(("extra_property", "x\0y", "a\0\n" + "z" * 1000))
    (told,) = counting.counts.take()
    assert told.detail == "a" + "z" * (DETAIL_LIMIT - 3)
    assert told.path == "xy"


@pytest.mark.parametrize(
    ("action", "path", "detail"),
    [
        ("DataTransfer", "data", '{"pin":"1234"}'),
        ("NotifyCustomerInformation", "data", '["Alice Example"]'),
        ("BootNotification", "AuthorizationKey", '"0123456789abcdef"'),
        ("BootNotification", "custom", '{"BasicAuthPassword":"0123456789abcdef"}'),
    ],
)
def test_what_may_be_secret_is_not_kept(counting, action, path, detail):
    counting.note(("wrong_type", path, detail), action=action)
    (told,) = counting.counts.take()
    assert told.detail == ""


# On a connection


async def report_of(edge):
    records = await edge.kafka.until(DEVIATIONS, 1)
    return msgspec.json.decode(records[-1].value, type=DeviationReport)


async def test_a_refused_frame_is_told_of_within_a_moment_and_counted_on_at_the_end(edge):
    async with edge.connect("CP1") as socket:
        for number in range(3):
            await socket.send(f'[2,"{number}","Nonsense",{{}}]')
            await socket.recv()
            if number == 0:
                first = await report_of(edge)
    async with asyncio.timeout(180):
        while (await report_of(edge)).deviations[0].count < 3:
            await asyncio.sleep(0.01)

    (told,) = first.deviations
    assert (first.station_id, first.version, first.epoch) == ("CP1", "1.6", 0)
    assert (told.action, told.kind, told.refused, told.count) == ("", "NotImplemented", True, 1)
    assert len(edge.kafka.log[DEVIATIONS]) == 2


async def test_what_is_not_supported_here_is_no_fault_of_the_station(edge, monkeypatch):
    way = msgspec.structs.replace(routes.route("1.6", "SignCertificate"), supported=False)
    monkeypatch.setitem(routes._ROUTES, ("1.6", "SignCertificate"), way)
    async with edge.connect("CP1") as socket:
        await socket.send('[2,"1","SignCertificate",{"csr":"x"}]')
        assert "NotSupported" in await socket.recv()

    assert edge.kafka.log[DEVIATIONS] == []


async def passed_on(edge, socket):
    """Let a station send an Authorize with an extra member; return it as its service gets it."""
    await socket.send('[2,"1","Authorize",{"idTag":"ALICE","extra":1}]')
    (record,) = await edge.published("session", 1)
    return Frame.read(edge.kafka.received(record, 0))


async def told_at_the_end(edge):
    """Return what was told of the only connection, which has ended."""
    ended = [record for record in await edge.kafka.until("ocpp.presence", 2) if b'"connected":false' in record.value]
    assert len(ended) == 1
    await edge.edge.drainer.uplink.settled()
    reports = [msgspec.json.decode(each.value, type=DeviationReport) for each in edge.kafka.log[DEVIATIONS]]
    return sorted({(each.action, each.kind, each.path, each.refused) for told in reports for each in told.deviations})


async def test_what_is_taken_as_meant_is_counted_with_its_place(edge):
    async with edge.connect("CP1") as socket:
        frame = await passed_on(edge, socket)
        edge.send_down(frame.answer(b"{}", "/session", NOW))
        await socket.recv()

    assert await told_at_the_end(edge) == [("Authorize", "extra_property", "extra", False)]


async def test_a_frame_that_was_passed_on_and_that_its_service_cannot_read_is_counted_as_refused(edge):
    async with edge.connect("CP1") as socket:
        frame = await passed_on(edge, socket)
        edge.send_down(frame.error("PropertyConstraintViolation", "connector -1", "/session", NOW))
        await socket.recv()

    assert await told_at_the_end(edge) == [
        ("Authorize", "PropertyConstraintViolation", "", True),
        ("Authorize", "extra_property", "extra", False),
    ]


async def test_our_own_fault_is_not_counted_against_the_station(edge):
    async with edge.connect("CP1") as socket:
        frame = await passed_on(edge, socket)
        edge.send_down(frame.error("InternalError", "ours", "/session", NOW))
        await socket.recv()

    assert await told_at_the_end(edge) == [("Authorize", "extra_property", "extra", False)]


async def test_rules_and_strictness_count_for_the_next_frame_of_an_open_connection(edge):
    async with edge.connect("CP1") as socket:
        await edge.kafka.until("ocpp.presence", 1)
        edge.register("CP1", vendor="Acme")
        edge.kafka.write(DeviationRules(NOW, (DeviationRule("refuse", vendor="acme"),)).record())
        await socket.send('[2,"1","Heartbeat",{"extra":1}]')
        assert "FormationViolation" in await socket.recv()
        edge.kafka.write(DeviationRules(NOW, ()).record())
        await socket.send('[2,"2","Heartbeat",{"extra":1}]')
        assert "currentTime" in await socket.recv()
        edge.register("CP1", strict=True)
        await socket.send('[2,"3","Heartbeat",{"extra":1}]')
        assert "FormationViolation" in await socket.recv()
