"""Customer information: parts put together in whatever order they come, shown as incomplete, deleted soon."""

import itertools
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_calls import Call, UnusableCallError
from chargebus_commanding import Outcome
from chargebus_events.frames import Frame
from chargebus_events.personal import context_of
from chargebus_events.topics import COMMANDS, TOPICS, frames_topic
from chargebus_notification.customer_information import payload, routes
from chargebus_notification.customer_information.block import Parts, PartState
from chargebus_notification.customer_information.domain import Part, Request, Wanted, gathered
from chargebus_notification.main import build
from chargebus_notification.metrics import Metrics
from chargebus_runtime.sealing import Sealing
from chargebus_testkit.asked import asked as sent_to
from chargebus_testkit.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=0)
WAIT = timedelta(minutes=5)
LATE = NOW + timedelta(minutes=6)
ASKED = Request(1, "CS-1", "id_token", report=True, clear=False, asked_at=NOW)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_N09_parts_are_put_together_in_the_order_of_their_numbers(order):
    parts = {number: ("abc"[number], number == 2) for number in order}

    found = gathered(ASKED, parts, NOW, WAIT)
    assert (found.state, found.text, found.missing) == ("complete", "abc", ())


@pytest.mark.parametrize(
    ("parts", "missing"),
    [({}, ()), ({0: ("a", False)}, ()), ({0: ("a", False), 2: ("c", True)}, (1,)), ({2: ("c", True)}, (0, 1))],
)
def test_N09_what_is_missing_is_waited_for_and_then_incomplete(parts, missing):
    accepted = msgspec.structs.replace(ASKED, status="accepted")

    assert gathered(accepted, parts, NOW, WAIT).state == "receiving"
    late = gathered(accepted, parts, LATE, WAIT)
    assert (late.state, late.missing) == ("incomplete", missing)


def test_what_is_missing_below_the_highest_number_is_looked_for_no_further_than_it_is_told():
    found = gathered(ASKED, {2**31 - 1: ("z", True)}, LATE, WAIT)

    assert (found.state, len(found.missing)) == ("incomplete", 1000)


@pytest.mark.parametrize(("number", "is_kept"), [(0, True), (9999, True), (10_000, False), (2**31 - 1, False)])
def test_parts_of_a_request_are_bounded(number, is_kept):
    state, part = PartState({1: ASKED}, NOW), Part("CS-1", 1, number, "a", is_last=True)
    Parts(Metrics(), Sealing()).decide(state, Call(None, None, part, None))

    assert bool(state.new) is is_kept


SEALING = Sealing([bytes(32)])


def sealed_part(station_id: str = "CS-1", until: datetime = LATE) -> Part:
    """Return a part as an edge with a key puts it on Kafka."""
    data = SEALING.seal(b"Alice\0", context_of("NotifyCustomerInformation", station_id), until)
    said = {"data": data, "seqNo": 0, "requestId": 1, "sealed": True}
    frame = Frame("CS-1", "2.0.1", "NotifyCustomerInformation", "m", 0, 7, 1, json.dumps(said).encode(), NOW)
    return payload.part(frame)


def test_a_part_that_its_edge_sealed_is_kept_as_it_was_said():
    state = PartState({1: ASKED}, NOW)
    Parts(Metrics(), SEALING).decide(state, Call(None, None, sealed_part(), None))

    assert state.new[1, 0] == Part("CS-1", 1, 0, "Alice", is_last=True)


@pytest.mark.parametrize(
    ("part", "sealing"),
    [
        (sealed_part(), Sealing()),
        (sealed_part("CS-2"), SEALING),
        (sealed_part(until=NOW - timedelta(seconds=1)), SEALING),
    ],
)
def test_a_part_that_cannot_be_opened_is_missing_and_the_log_tells_why(part, sealing, caplog):
    state = PartState({1: ASKED}, NOW)
    Parts(Metrics(), sealing).decide(state, Call(None, None, part, None))

    assert (state.new, "cannot be opened" in caplog.text) == ({}, True)


def test_parts_count_though_the_answer_to_the_request_was_lost():
    lost = Outcome("c1", "CS-1", "customer_information", "1", "timed_out", NOW)

    assert gathered(routes.ended(ASKED, lost), {0: ("a", True)}, NOW, WAIT).state == "complete"


@pytest.mark.parametrize(("word", "state"), [("Accepted", "done"), ("Rejected", "refused"), ("Invalid", "refused")])
def test_N10_a_request_that_only_clears_is_done_with_its_answer(word, state):
    clears = msgspec.structs.replace(ASKED, report=False, clear=True)
    answer = msgspec.Raw(json.dumps({"status": word}).encode())
    ended = routes.ended(clears, Outcome("c1", "CS-1", "i", "1", "answered", NOW, payload=answer))

    assert (gathered(ended, {}, NOW, WAIT).state, ended.reason) == (state, word)


def test_a_customer_is_named_in_one_of_three_ways():
    hashes = {"hash_algorithm": "SHA256", "issuer_name_hash": "a", "issuer_key_hash": "b", "serial_number": "1"}
    by_token = payload.ask(Wanted(report=True, clear=True, id_token="A", id_token_type="Central"), 7)
    by_certificate = payload.ask(Wanted(report=True, clear=False, certificate=hashes), 7)

    assert by_token["idToken"] == {"idToken": "A", "type": "Central"}
    assert by_certificate["customerCertificate"]["issuerKeyHash"] == "b"
    assert by_token["customerCertificate"] is by_certificate["idToken"] is None


def test_a_token_too_long_for_2_0_1_is_asked_of_2_1_only():
    long = Wanted(report=True, clear=False, id_token="A" * 37, id_token_type="Central")

    assert [form.versions for form in routes.forms(long, 1)] == [("2.1",)]


def test_what_cannot_be_read_says_nothing_of_the_customer():
    said = {"data": 5, "seqNo": "Alice", "requestId": 1}
    with pytest.raises(UnusableCallError) as caught:
        payload.part(frame("CS-1", said, 1))

    assert "Alice" not in str(caught.value)


def frame(station_id, said, number):
    return Frame(
        station_id, "2.0.1", "NotifyCustomerInformation", f"m{number}", 0, 7, number, json.dumps(said).encode(), NOW
    )


async def test_what_a_station_tells_is_kept_for_administrators_and_deleted(make_bed, station_id, monkeypatch, caplog):
    monkeypatch.setenv("NOTIFICATION_SWEEP_CUSTOMER_INFORMATION_EVERY_S", "0.2")
    bed = make_bed(build)
    body = {"station_id": station_id, "id_token": {"id_token": "SECRET-DRIVER"}, "clear": True}
    async with bed.running() as process, bed.client("admin") as client, bed.client("operator") as operator:
        refused = await operator.post("/customer-information", json=body)
        asked = (await client.post("/customer-information", json=body, headers={"Idempotency-Key": "k"})).json()
        again = (await client.post("/customer-information", json=body, headers={"Idempotency-Key": "k"})).json()
        request_id = asked["request_id"]
        path = f"/customer-information/{request_id}"

        def said(seq_no, data, *, tbc, of=request_id):
            return {"data": data, "seqNo": seq_no, "tbc": tbc, "requestId": of, "generatedAt": NOW.isoformat()}

        [command] = await eventually(lambda: bed.read(COMMANDS, station_id), bool, what="it is asked")
        parts = [
            said(2, " three", tbc=False),
            said(0, "ONE", tbc=True),
            said(2, " three", tbc=False),
            said(0, "not ours", tbc=False, of=request_id + 1_000_000),
        ]
        await process.producer.publish(
            [frame(station_id, each, n).record(frames_topic("notification")) for n, each in enumerate(parts)]
        )
        await process.producer.publish([frame("CS-X", said(1, "no", tbc=True), 9).record(frames_topic("notification"))])
        receiving = await eventually(
            lambda: client.get(path), lambda answer: answer.json()["parts"] == 2, what="two parts are here"
        )
        await process.producer.publish(
            [frame(station_id, said(1, " two", tbc=True), 10).record(frames_topic("notification"))]
        )
        complete = await eventually(
            lambda: client.get(path), lambda answer: answer.json()["state"] == "complete", what="it is complete"
        )
        listed = (await operator.get("/customer-information", params={"station_id": station_id})).json()["items"]
        hidden = await operator.get(path)
        long_ago = datetime.now(UTC) - timedelta(days=2)
        await bed.rows("UPDATE customer_request SET asked_at = $2 WHERE request_id = $1", request_id, long_ago)
        deleted = await eventually(
            lambda: client.get(path), lambda answer: answer.json()["state"] == "deleted", what="it is deleted"
        )
        kept = await bed.rows("SELECT * FROM customer_part")
        public = [
            record for topic in TOPICS.values() if topic.public for record in await bed.read(topic.name, station_id)
        ]

    assert json.loads(bytes(sent_to(command.value).forms[0].payload))["idToken"]["idToken"] == "SECRET-DRIVER"
    assert b"SECRET-DRIVER" not in command.value
    assert (refused.status_code, hidden.status_code, again["request_id"]) == (403, 403, request_id)
    assert (receiving.json()["missing"], receiving.json()["state"]) == ([1], "receiving")
    assert complete.json()["text"] == "ONE two three"
    assert "text" not in listed[0]
    assert (deleted.json()["text"], kept, public) == ("", [], [])
    assert "ONE" not in caplog.text
    assert "SECRET-DRIVER" not in caplog.text


@pytest.mark.parametrize("wrong", [{}, {"customer_identifier": "a", "id_token": {"id_token": "b"}}])
async def test_a_request_that_names_nobody_or_two_is_refused(make_bed, wrong):
    bed = make_bed(build)
    async with bed.running(), bed.client("admin") as client:
        answer = await client.post("/customer-information", json={"station_id": "CS-1"} | wrong)
        nothing = {"station_id": "CS-1", "customer_identifier": "a", "report": False}
        neither = await client.post("/customer-information", json=nothing)

    assert (answer.status_code, neither.status_code) == (422, 422)
