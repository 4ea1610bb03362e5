"""What comes over Kafka, against a real database."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_command.domain.state import Ended
from chargebus_command.errors import TwiceEndedError
from chargebus_command.store import commands
from chargebus_command.store.stations import forget_connections
from chargebus_events.commands import CommandForm
from chargebus_events.public import CommandFailed
from chargebus_events.record import Received, timestamp
from chargebus_events.registry import OnboardingPolicy, removed
from chargebus_events.topics import STATION_EVENTS
from chargebus_runtime import parking
from chargebus_runtime.kafka_clock import KafkaClock

DOWN_A = ("CS-1", 3, b"a")
DOWN_B = ("CS-1", 3, b"b")


def ends(service, records):
    return [(outcome.command_id, outcome.outcome) for outcome in service.outcomes(records)]


def own_statements(service):
    """Count our statements since the last call: a new connection also asks for types, once."""
    count = sum(
        1 for statement in service.statements if "typeinfo" not in statement.query and "jit" not in statement.query
    )
    service.statements.clear()
    return count


def tombstone(record, offset=0):
    return Received(record.topic, 0, offset, record.key, record.value, dict(record.headers))


async def test_a_request_goes_down_to_the_slot_and_connection_that_hold_the_station(service):
    await service.come_online("CS-1")
    sent = await service.apply(service.request("CS-1", "a", timeout_s=20))

    assert service.downlinks(sent) == [DOWN_A]
    headers = dict(sent[0].headers)
    assert (headers["ocpp_epoch"], headers["ocpp_action"], headers["timeout_s"]) == (b"7", b"Reset", b"20.0")
    assert sent[0].value == b'{"type":"Soft"}'


@pytest.mark.parametrize(("ttl_s", "expires_after_s"), [(5, 5), (0, 20)])
async def test_what_goes_down_says_when_it_expires(service, ttl_s, expires_after_s):
    await service.come_online("CS-1")
    expires_at = service.time() + timedelta(seconds=expires_after_s)
    (sent,) = await service.apply(service.request("CS-1", "a", timeout_s=20, ttl_s=ttl_s))

    assert dict(sent.headers)["expires_at"] == timestamp(expires_at).encode()
    assert await service.fetch("SELECT expires_at FROM command") == [(expires_at,)]


async def test_an_answer_becomes_the_one_outcome_and_frees_the_place_for_the_next(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a"), service.request("CS-1", "b"))
    sent = await service.apply(service.delivery("CS-1", "a", "answered", payload=msgspec.Raw(b'{"status":"Accepted"}')))

    (outcome,) = service.outcomes(sent)
    assert (outcome.command_id, outcome.outcome, outcome.requester) == ("a", "answered", "session")
    assert bytes(outcome.payload) == b'{"status":"Accepted"}'
    assert service.downlinks(sent) == [DOWN_B]
    assert await service.fetch("SELECT command_id, state, outcome, reply FROM command ORDER BY number") == [
        ("a", "ended", "answered", '{"status":"Accepted"}'),
        ("b", "sent", None, None),
    ]


async def test_a_call_error_is_told_with_its_parts(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a"))
    refusal = service.delivery(
        "CS-1", "a", "refused", error_code="NotSupported", error_description="no", error_details=msgspec.Raw(b'{"x":1}')
    )
    (outcome,) = service.outcomes(await service.apply(refusal))

    assert (outcome.outcome, outcome.error_code, outcome.error_description) == ("refused", "NotSupported", "no")
    assert bytes(outcome.error_details) == b'{"x":1}'


async def test_a_delivery_that_comes_twice_makes_one_outcome(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a"))
    report = service.delivery("CS-1", "a", "answered", payload=msgspec.Raw(b"{}"))

    assert ends(service, await service.apply(report, report)) == [("a", "answered")]
    assert await service.apply(report) == []


async def test_a_request_that_comes_twice_is_one_command(service):
    await service.come_online("CS-1")
    request = service.request("CS-1", "a")

    assert service.downlinks(await service.apply(request, request)) == [DOWN_A]
    assert await service.apply(request) == []


async def test_a_request_that_comes_again_after_its_end_is_not_carried_out_again(service):
    await service.come_online("CS-1")
    request = service.request("CS-1", "a")
    await service.apply(request)
    await service.apply(service.delivery("CS-1", "a", "answered", payload=msgspec.Raw(b"{}")))

    assert await service.apply(request) == []


async def test_a_request_for_an_unknown_station_is_undeliverable(service):
    sent = await service.apply(service.request("NOBODY", "a", ttl_s=60))

    assert ends(service, sent) == [("a", "undeliverable")]
    assert await service.outcome("a") == "undeliverable"
    assert await service.fetch("SELECT registered, connected FROM station") == [(False, False)]


@pytest.mark.parametrize("absent_grace_s", [2.0])
async def test_a_station_whose_news_come_after_the_request_gets_its_command(service):
    waiting = await service.apply(service.request("CS-1", "a"))
    known = await service.apply(service.registered("CS-1"), service.heartbeat())
    sent = await service.apply(service.presence("CS-1", 7))

    assert (waiting, known) == ([], [])
    assert service.downlinks(sent) == [DOWN_A]


@pytest.mark.parametrize("skew_s", [10, -10])
async def test_hosts_need_not_agree_about_the_time_for_a_command_to_be_fresh(service, monkeypatch, skew_s):
    """Our clock is ahead of Kafka's, or behind: a request tells by Kafka's when it was made, as does what is sent."""
    kafka_now = service.time() - timedelta(seconds=skew_s)
    monkeypatch.setattr(KafkaClock, "now", lambda _clock: kafka_now)
    await service.come_online("CS-1")
    request = service.request("CS-1", "a", requested_at=kafka_now - timedelta(seconds=1), ttl_s=5)
    (sent,) = await service.apply(request)

    assert dict(sent.headers)["ce_time"] == timestamp(kafka_now).encode()
    assert dict(sent.headers)["expires_at"] == timestamp(kafka_now + timedelta(seconds=4)).encode()
    assert await service.fetch("SELECT expires_at, due_at FROM command") == [
        (service.time() + timedelta(seconds=4), service.time() + timedelta(seconds=35))
    ]
    report = service.delivery("CS-1", "a", "answered", sent_at=kafka_now, payload=msgspec.Raw(b"{}"))
    assert ends(service, await service.apply(report)) == [("a", "answered")]


async def test_a_request_that_was_made_too_long_ago_by_kafkas_clock_expires(service, monkeypatch):
    kafka_now = service.time() - timedelta(seconds=10)
    monkeypatch.setattr(KafkaClock, "now", lambda _clock: kafka_now)
    await service.come_online("CS-1")
    sent = await service.apply(service.request("CS-1", "a", requested_at=kafka_now - timedelta(seconds=6), ttl_s=5))

    assert ends(service, sent) == [("a", "expired")]


async def test_requests_wait_in_order_until_the_station_connects(service):
    await service.apply(service.registered("CS-1"), service.heartbeat())
    waiting = await service.apply(*(service.request("CS-1", name, ttl_s=60) for name in "cab"))
    first = await service.apply(service.presence("CS-1", 9))
    second = await service.apply(service.delivery("CS-1", "c", "answered", epoch=9, payload=msgspec.Raw(b"{}")))

    assert waiting == []
    assert service.downlinks(first) == [("CS-1", 3, b"c")]
    assert service.downlinks(second) == [("CS-1", 3, b"a")]


async def test_a_payload_is_checked_against_the_version_that_the_station_speaks(service):
    await service.come_online("CS-1", version="2.0.1")
    (outcome,) = service.outcomes(await service.apply(service.request("CS-1", "a")))

    assert outcome.outcome == "undeliverable"
    assert "breaks the schema of OCPP 2.0.1" in outcome.reason


async def test_a_request_for_another_version_is_undeliverable(service):
    await service.come_online("CS-1", version="2.1")
    request = service.request("CS-1", "a", "ClearCache", payload=b"{}", versions=("1.6", "2.0.1"))
    (outcome,) = service.outcomes(await service.apply(request))

    assert outcome.reason == "it is meant for OCPP 1.6 or 2.0.1, the station speaks 2.1"


FORMS = (
    CommandForm("RemoteStopTransaction", msgspec.Raw(b'{"transactionId":7}'), ("1.6",)),
    CommandForm("RequestStopTransaction", msgspec.Raw(b'{"transactionId":"7"}'), ("2.0.1", "2.1")),
)


@pytest.mark.parametrize(("version", "action"), [("1.6", "RemoteStopTransaction"), ("2.1", "RequestStopTransaction")])
async def test_of_the_forms_the_one_for_the_stations_version_is_sent_and_told_of(service, version, action):
    await service.come_online("CS-1", version=version)
    (sent,) = await service.apply(service.request("CS-1", "a", forms=FORMS, intent="stop", subject="s1"))
    report = service.delivery("CS-1", "a", "answered", payload=msgspec.Raw(b"{}"))
    (outcome,) = service.outcomes(await service.apply(report))

    assert dict(sent.headers)["ocpp_action"] == action.encode()
    assert (outcome.action, outcome.version, outcome.intent, outcome.subject) == (action, version, "stop", "s1")
    assert await service.fetch("SELECT action, version, open_forms FROM command") == [(action, version, None)]


async def test_the_form_is_chosen_when_it_is_sent_by_the_version_spoken_then(service):
    await service.come_online("CS-1", version="1.6")
    await service.apply(service.request("CS-1", "a", forms=FORMS, ttl_s=60))
    returned = await service.apply(service.delivery("CS-1", "a", "undeliverable"))
    (sent,) = await service.apply(service.presence("CS-1", 8, version="2.0.1"))

    assert returned == []
    assert dict(sent.headers)["ocpp_action"] == b"RequestStopTransaction"


async def test_an_outcome_of_what_was_never_sent_names_no_action(service):
    await service.apply(service.registered("CS-1"))
    (outcome,) = service.outcomes(await service.apply(service.request("CS-1", "a", forms=FORMS)))

    assert (outcome.outcome, outcome.action, outcome.version) == ("undeliverable", "", "")


async def test_a_request_without_a_form_as_before_there_were_any_ends(service):
    await service.come_online("CS-1")
    (outcome,) = service.outcomes(await service.apply(service.request("CS-1", "a", forms=())))

    assert (outcome.outcome, outcome.reason) == ("undeliverable", "nothing was given to send")


async def test_an_outcome_that_nobody_reads_is_kept_and_not_sent(service):
    sent = await service.apply(service.request("NOBODY", "a", requester="stranger"))

    assert sent == []
    assert await service.outcome("a") == "undeliverable"


def parked_and_replayed(record):
    parked = parking.parked("command", record, "why", datetime.now(UTC))
    again = parking.replay(Received(parked.topic, 0, 7, parked.key, parked.value, dict(parked.headers)))
    return Received(again.topic, 0, 8, again.key, again.value, dict(again.headers))


async def test_a_request_that_is_parked_has_ended_and_its_replay_does_not_end_it_twice(service):
    await service.come_online("CS-1")
    request = service.request("CS-1", "a", intent="stop", subject="s1", ttl_s=600)
    (told,) = service.outcomes(service.handlers.refuse(request, "ValueError: why"))
    replay = parked_and_replayed(request)

    assert (told.outcome, told.intent, told.subject) == ("undeliverable", "stop", "s1")
    assert told.reason == "the command service could not handle it"
    assert await service.apply(replay) == []
    assert await service.outcome("a") == "undeliverable"
    assert service.handlers.refuse(replay, "why") == ()


async def test_a_request_that_cannot_be_read_ends_if_it_says_who_asked(service):
    broken = service.request("CS-1", "a")
    unreadable = msgspec.structs.replace(broken, value=broken.value.replace(b'"forms":[', b'"forms":[1,'))
    (told,) = service.outcomes(service.handlers.refuse(unreadable, "why"))

    assert (told.command_id, told.outcome) == ("a", "undeliverable")
    assert service.handlers.refuse(msgspec.structs.replace(broken, value=b"{}"), "why") == ()
    assert service.handlers.refuse(service.delivery("CS-1", "a", "answered"), "why") == ()


async def test_an_action_of_the_station_is_no_command(service):
    await service.come_online("CS-1")
    sent = await service.apply(service.request("CS-1", "a", "Heartbeat", payload=b"{}"))

    assert service.outcomes(sent)[0].reason == "Heartbeat is not a command of OCPP 1.6"


async def test_an_unwritten_command_returns_and_goes_to_the_next_connection(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a", ttl_s=60))
    returned = await service.apply(service.delivery("CS-1", "a", "undeliverable"))
    again = await service.apply(service.presence("CS-1", 8))

    assert returned == []
    assert service.downlinks(again) == [DOWN_A]
    assert dict(again[0].headers)["ocpp_epoch"] == b"8"
    assert await service.apply(service.delivery("CS-1", "a", "undeliverable", epoch=7)) == []


async def test_an_edge_that_starts_anew_ends_what_was_in_flight_on_it(service):
    await service.come_online("CS-1", "CS-2")
    await service.apply(service.request("CS-1", "a"))
    await service.apply(service.heartbeat(offset=20))
    await service.sweeper.sweep()
    service.time.pass_s(service.queues.rules.lost_grace_s)
    sent = await service.apply(service.request("CS-1", "b"))

    assert ends(service, sent) == [("a", "timed_out"), ("b", "undeliverable")]
    assert service.outcomes(sent)[0].reason == "connection lost before the answer"


async def test_others_hear_of_commands_at_which_a_station_fails(service):
    await service.come_online("CS-1")
    sent = []
    for command_id, result, error_code in (
        ("a", "timed_out", ""),
        ("b", "refused", "InternalError"),
        ("c", "refused", "NotSupported"),
        ("d", "answered", ""),
    ):
        await service.apply(service.request("CS-1", command_id))
        payload = msgspec.Raw(b"{}") if result == "answered" else None
        sent += await service.apply(
            service.delivery("CS-1", command_id, result, error_code=error_code, payload=payload)
        )

    told = [msgspec.json.decode(each.value, type=CommandFailed) for each in sent if each.topic == STATION_EVENTS]
    assert [(each.command_id, each.outcome, each.error_code, each.action) for each in told] == [
        ("a", "timed_out", "", "Reset"),
        ("b", "refused", "InternalError", "Reset"),
    ]


async def test_presence_follows_the_log_and_not_late_records(service):
    await service.come_online("CS-1", epoch=7)
    await service.apply(
        service.presence("CS-1", 9, slot=4),
        service.presence("CS-1", 10, epoch=7, connected=False),
        service.presence("CS-1", 11, epoch=7),
    )

    assert await service.fetch("SELECT connected, epoch, slot FROM station") == [(True, 9, 4)]


async def test_the_registry_tells_which_stations_exist(service):
    policy = OnboardingPolicy("accept", service.time()).record()
    await service.apply(service.registered("CS-1"), service.registered("CS-2"), tombstone(policy))
    await service.apply(tombstone(removed("CS-2")))

    assert await service.fetch("SELECT station_id, registered FROM station ORDER BY station_id") == [
        ("CS-1", True),
        ("CS-2", False),
    ]


async def test_on_a_new_kafka_cluster_connections_and_edges_are_forgotten_and_commands_go_on(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a"), service.request("CS-1", "b", ttl_s=600))
    async with service.database.transaction() as tx:
        await forget_connections(tx.connection)
    service.time.pass_s(1)
    await service.apply(service.heartbeat(offset=0), service.presence("CS-1", 0, edge_epoch=0))
    service.time.pass_s(service.queues.rules.lost_grace_s)
    sent = await service.apply(service.presence("CS-1", 1, epoch=0, edge_epoch=0))

    assert ends(service, sent) == [("a", "timed_out")]
    assert service.downlinks(sent) == [DOWN_B]


async def test_a_batch_of_many_stations_takes_a_handful_of_statements(service):
    names = [f"CS-{n}" for n in range(50)]
    await service.come_online(*names)
    service.statements.clear()
    sent = await service.apply(*(service.request(name, f"a-{name}") for name in names))
    requests = own_statements(service)
    await service.apply(*(service.delivery(n, f"a-{n}", "answered", payload=msgspec.Raw(b"{}")) for n in names))
    deliveries = own_statements(service)

    assert len(service.downlinks(sent)) == 50
    assert requests == 5
    assert deliveries == 3


async def test_a_command_cannot_end_twice_even_if_the_lock_was_forgotten(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a"))
    async with service.database.transaction() as tx:
        station = (await service.queues.take(tx.connection, ["CS-1"], tx.now))["CS-1"]
        end = Ended(station.in_flight, "timed_out", service.time())
        await commands.end(tx.connection, [end])
        with pytest.raises(TwiceEndedError):
            await commands.end(tx.connection, [end])


async def test_a_record_that_is_no_request_is_for_the_runtime_to_park(service):
    broken = service.request("CS-1", "a")
    with pytest.raises(msgspec.ValidationError):
        await service.apply(Received(broken.topic, 0, 1, "CS-1", b'{"command_id": 1}', broken.headers))
