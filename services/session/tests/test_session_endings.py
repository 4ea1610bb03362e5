"""Sessions whose station does not say that they ended."""

from datetime import timedelta

import msgspec
import pytest
from chargebus_events import public
from chargebus_events.commands import CommandRequested
from chargebus_events.registry import removed
from chargebus_events.topics import COMMANDS, SESSION_EVENTS, frames_topic
from chargebus_ocppj.schemas import validate_call

MINUTE = timedelta(minutes=1)


def start(**changes):
    return {"connectorId": 1, "idTag": "single", "meterStart": 100, "timestamp": "2025-06-01T11:00:00Z"} | changes


def event(number, kind, minute=0, **changes):
    meter = {"timestamp": f"2025-06-01T11:{minute:02d}:00Z", "sampledValue": [{"value": 100 * minute}]}
    request = {
        "eventType": kind,
        "timestamp": f"2025-06-01T11:{minute:02d}:00Z",
        "triggerReason": "Trigger",
        "seqNo": number,
        "transactionInfo": {"transactionId": "tx"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [meter],
    }
    return request | changes


def heard(service, readings):
    frame = service.frame("MeterValues", readings, expects=False)
    return msgspec.structs.replace(frame, topic=frames_topic("metering"))


def told(kind, body):
    return public.event(kind, "id", "/device", body.at, body)


@pytest.fixture
def status(service):
    def make(status="Available", evse_id=1, minutes=-10, connector_id=1, detail=""):
        at = service.now + minutes * MINUTE
        return service.received(
            told(public.CONNECTOR_STATUS, public.ConnectorStatus("CS1", at, evse_id, connector_id, status, detail))
        )

    return make


@pytest.fixture
def boot(service):
    def make(version, minutes=-10, **more):
        at = service.now + minutes * MINUTE
        return service.received(
            told(public.STATION_BOOTED, public.StationBooted("CS1", at, "accepted", version, **more))
        )

    return make


async def shown(service):
    return await service.rows("SELECT state, energy_wh, flags, ended_at FROM charging_session ORDER BY begun_at")


async def asked(service):
    return [
        msgspec.json.decode(record.value, type=CommandRequested)
        for record in await service.settled()
        if record.topic == COMMANDS
    ]


BY_RULE = ("ended", None, ["end_unknown", "ended_by_rule", "energy_unknown"], None)


async def test_a_session_whose_connector_is_available_is_ended_and_frees_its_token(service, status):
    await service.apply(service.frame("StartTransaction", start()))
    await service.apply(status())
    await service.endings.sweep()

    assert await shown(service) == [BY_RULE]
    [ended] = [record for record in await service.settled() if record.topic == SESSION_EVENTS]
    body = msgspec.json.decode(ended.value, type=public.Session)
    assert (body.state, body.billable, body.flags) == ("ended", True, tuple(BY_RULE[2]))
    assert await service.rows("SELECT action, decided_by, reason FROM session_decision") == [
        ("end", "rule", "available")
    ]
    elsewhere = service.frame("StartTransaction", start(timestamp="2025-06-01T11:55:00Z"), station_id="CS2")
    assert (await service.apply(elsewhere)).answers[0]["idTagInfo"]["status"] == "Accepted"
    assert await service.rows("SELECT * FROM session_doubt") == []


@pytest.mark.parametrize(
    "sign", [{"status": "Occupied"}, {"evse_id": 2}, {"evse_id": 0, "connector_id": 0}, {"minutes": -61}]
)
async def test_another_status_ends_nothing(service, status, sign):
    await service.apply(service.frame("StartTransaction", start()))
    await service.apply(status(**sign))
    await service.endings.sweep()

    assert [row[0] for row in await shown(service)] == ["active"]


async def test_the_end_that_comes_all_the_same_replaces_that_of_the_rule(service, status):
    [started] = (await service.apply(service.frame("StartTransaction", start()))).answers
    await service.apply(status())
    await service.endings.sweep()
    stop = {"transactionId": started["transactionId"], "meterStop": 1500, "timestamp": "2025-06-01T11:40:00Z"}
    await service.apply(service.frame("StopTransaction", stop))

    [(state, energy_wh, flags, ended_at)] = await shown(service)
    assert (state, energy_wh, flags) == ("ended", 1400, ["ended_by_rule"])
    assert ended_at is not None


async def test_the_end_that_came_in_time_stands(service, status):
    [started] = (await service.apply(service.frame("StartTransaction", start()))).answers
    await service.apply(status())
    stop = {"transactionId": started["transactionId"], "meterStop": 1500, "timestamp": "2025-06-01T11:40:00Z"}
    await service.apply(service.frame("StopTransaction", stop))
    await service.endings.sweep()

    assert [row[2] for row in await shown(service)] == [[]]


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_the_next_start_on_its_connector_ends_a_session(service, in_one_batch):
    frames = [
        service.frame("StartTransaction", start()),
        service.frame("StartTransaction", start(timestamp="2025-06-01T11:30:00Z", connectorId=2)),
        service.frame("StartTransaction", start(timestamp="2025-06-01T11:30:00Z", idTag="good")),
    ]
    for batch in [frames] if in_one_batch else [[each] for each in frames]:
        await service.apply(*batch)
    await service.endings.sweep()

    assert sorted(row[0] for row in await shown(service)) == ["active", "active", "ended"]
    assert await service.rows("SELECT reason FROM session_decision") == [("next_start",)]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"ongoingIndicator": False, "messagesInQueue": False}, "ended"),
        ({"messagesInQueue": False}, "ended"),
        ({"ongoingIndicator": True, "messagesInQueue": False}, "active"),
        ({"ongoingIndicator": False, "messagesInQueue": True}, "active"),
    ],
)
async def test_E14_a_station_that_booted_is_asked_whether_its_transaction_goes_on(service, boot, answer, state):
    await service.apply(
        service.frame("TransactionEvent", event(0, "Started"), "2.0.1"),
        service.frame("TransactionEvent", event(1, "Updated", 20), "2.0.1"),
    )
    await service.apply(boot("2.0.1"))
    await service.endings.sweep()
    [command] = await asked(service)
    [form] = command.forms
    validate_call("2.0.1", form.action, bytes(form.payload))
    assert (form.action, bytes(form.payload)) == ("GetTransactionStatus", b'{"transactionId":"tx"}')
    payload = msgspec.Raw(msgspec.json.encode(answer))
    await service.apply(
        service.outcome(command.command_id, intent=command.intent, subject=command.subject, payload=payload)
    )
    await service.endings.sweep()

    [(found, energy_wh, flags, _)] = await shown(service)
    assert (found, energy_wh) == (state, 2000)
    assert ("ended_by_rule" in flags) == (state == "ended")


async def test_a_session_that_the_rule_ended_goes_on_where_its_station_says_more_of_it(service, boot):
    await service.apply(service.frame("TransactionEvent", event(0, "Started"), "2.0.1"))
    await service.apply(boot("1.6"))
    await service.endings.sweep()
    assert [row[0] for row in await shown(service)] == ["ended"]
    await service.apply(service.frame("TransactionEvent", event(1, "Updated", 55), "2.0.1"))

    assert [(row[0], row[2]) for row in await shown(service)] == [("active", ["ended_by_rule"])]


async def test_a_boot_alone_ends_nothing_where_the_station_cannot_be_asked(service, boot):
    await service.apply(service.frame("StartTransaction", start()))
    await service.apply(boot("1.6"))
    for _ in range(9):
        await service.endings.sweep()

    assert [row[0] for row in await shown(service)] == ["active"]
    assert await service.rows("SELECT * FROM session_doubt") == []


IDLE = [("Unavailable", ""), ("Faulted", ""), ("Reserved", ""), ("Occupied", "Preparing"), ("Occupied", "Finishing")]


@pytest.mark.parametrize("told", IDLE)
@pytest.mark.parametrize("first", ["status", "boot"])
async def test_a_boot_ends_what_its_connector_says_cannot_be_charging(service, boot, status, told, first):
    await service.apply(service.frame("StartTransaction", start()))
    signs = [status(told[0], detail=told[1]), boot("1.6")]
    for sign in signs if first == "status" else reversed(signs):
        await service.apply(sign)
        await service.endings.sweep()
    await service.endings.sweep()

    assert await shown(service) == [BY_RULE]
    assert await service.rows("SELECT reason FROM session_decision") == [("boot",)]


@pytest.mark.parametrize("detail", ["Charging", "SuspendedEV", "SuspendedEVSE", ""])
async def test_a_boot_ends_nothing_where_the_connector_may_be_charging(service, boot, status, detail):
    await service.apply(service.frame("StartTransaction", start()))
    await service.apply(status("Faulted"), status("Occupied", detail=detail, minutes=-9), boot("1.6"))
    await service.endings.sweep()

    assert [row[0] for row in await shown(service)] == ["active"]


async def test_a_boot_ends_nothing_that_its_station_tells_readings_of(service, boot, status):
    [started] = (await service.apply(service.frame("StartTransaction", start()))).answers
    await service.apply(status("Faulted"), boot("1.6"))
    service.now += MINUTE
    reading = {"timestamp": "2025-06-01T12:00:30Z", "sampledValue": [{"value": "900"}]}
    named = {"connectorId": 1, "transactionId": started["transactionId"], "meterValue": [reading]}
    await service.apply(heard(service, named))
    await service.endings.sweep()

    assert [row[0] for row in await shown(service)] == ["active"]


async def test_readings_that_name_a_transaction_show_that_the_rule_was_wrong(service, status):
    [started] = (await service.apply(service.frame("StartTransaction", start()))).answers
    await service.apply(status())
    await service.endings.sweep()
    assert [row[0] for row in await shown(service)] == ["ended"]
    await service.settled()
    reading = {"timestamp": "2025-06-01T11:59:00Z", "sampledValue": [{"value": "900"}]}
    named = {"connectorId": 1, "transactionId": started["transactionId"], "meterValue": [reading]}
    applied = await service.apply(heard(service, named))

    assert [(row[0], row[1], row[2]) for row in await shown(service)] == [("active", 800, ["ended_by_rule"])]
    assert [(kind, session.state) for kind, session in applied.events] == [("updated", "active")]


@pytest.mark.parametrize(("version", "asks"), [("1.6", False), ("2.0.1", True)])
async def test_a_station_in_the_place_of_another_has_no_sessions_of_that(service, boot, version, asks):
    begun = service.frame("StartTransaction", start())
    await service.apply(begun if version == "1.6" else service.frame("TransactionEvent", event(0, "Started"), version))
    await service.apply(boot(version, replaced=True))
    await service.endings.sweep()

    assert [row[0] for row in await shown(service)] == ["active" if asks else "ended"]
    assert bool(await asked(service)) is asks


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_the_next_start_says_more_than_a_boot(service, boot, in_one_batch):
    await service.apply(service.frame("StartTransaction", start()))
    records = [boot("1.6"), service.frame("StartTransaction", start(timestamp="2025-06-01T11:55:00Z", idTag="good"))]
    for batch in [records] if in_one_batch else [[each] for each in records]:
        await service.apply(*batch)
    await service.endings.sweep()

    assert [row[0] for row in await shown(service)] == ["ended", "active"]
    assert await service.rows("SELECT reason FROM session_decision") == [("next_start",)]


async def test_what_connectors_said_is_forgotten_with_their_station(service, status):
    await service.apply(status("Faulted"), status("Available", evse_id=2))
    assert await service.rows("SELECT evse_id, idle FROM connector_state ORDER BY 1") == [(1, True), (2, True)]
    await service.apply(service.received(removed("CS1")))

    assert await service.rows("SELECT * FROM connector_state") == []


async def test_a_station_that_speaks_another_version_or_was_removed_has_no_sessions_that_go_on(service, boot):
    await service.apply(
        service.frame("StartTransaction", start()), service.frame("StartTransaction", start(), station_id="CS2")
    )
    await service.apply(boot("2.0.1"), service.received(removed("CS2")))
    await service.endings.sweep()

    assert [row[0] for row in await shown(service)] == ["ended", "ended"]
    assert await asked(service) == []
