"""Tokens, sessions and remote commands over HTTP, on a real database."""

import asyncio
import json

import msgspec
import pytest
from chargebus_events.commands import CommandRequested
from chargebus_events.public import Session
from chargebus_events.topics import COMMANDS, SESSION_EVENTS
from chargebus_ocppj.schemas import validate_call
from chargebus_runtime.http import Role
from chargebus_session.main import router
from chargebus_session.settings import SessionSettings
from chargebus_session.transactions.store import sessions as stored_sessions
from chargebus_session.transactions.store.sessions import SessionFilter
from chargebus_testkit.http import Anyone, http_client

START = "/v1/stations/CS1/evses/2/start"


@pytest.fixture
def ring():
    """Who calls: an operator, until a test says otherwise."""
    return Anyone(Role.OPERATOR)


@pytest.fixture
async def http(service, ring):
    settings = SessionSettings(remote_ttl_s=5.0, bulk_tokens=5)
    routes = router(service.database, service.commanding, service.reservations, settings)
    async with http_client({"/v1": routes}, ring) as client:
        yield client


async def commands(service):
    return [
        msgspec.json.decode(record.value, type=CommandRequested)
        for record in await service.settled()
        if record.topic == COMMANDS
    ]


def problem(response):
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["title"]


async def test_a_token_lives_its_life(http):
    made = await http.post("/v1/tokens", json={"id_token": "04AB", "type": "ISO14443", "group_id": "G"})
    assert (made.status_code, made.headers["location"]) == (201, "/v1/tokens/04AB")
    change = {"blocked": True, "expires_at": "2030-01-01T00:00:00Z"}
    changed = await http.patch("/v1/tokens/04ab", json=change)
    assert (changed.json()["blocked"], changed.json()["group_id"]) == (True, "G")
    cleared = await http.patch("/v1/tokens/04ab", json={"expires_at": None, "group_id": ""})
    assert (cleared.json()["blocked"], cleared.json()["expires_at"], cleared.json()["group_id"]) == (True, None, "")
    assert (await http.get("/v1/tokens/04aB")).json() == cleared.json()
    assert (await http.delete("/v1/tokens/04AB")).status_code == 204
    assert problem(await http.get("/v1/tokens/04AB")) == (404, "no such token")


async def test_a_token_is_registered_once_whatever_its_case(http):
    assert problem(await http.post("/v1/tokens", json={"id_token": "gOOd"})) == (409, "token exists")


async def test_a_contract_is_registered_once_and_meant_in_any_spelling_of_its_emaid(http, service):
    hyphens = {"id_token": "DE-8AA-C12345678-D", "type": "eMAID", "concurrent_transactions": False}
    assert (await http.post("/v1/tokens", json=hyphens)).status_code == 201
    again = {"id_token": "de8aac12345678", "type": "emaid"}
    assert problem(await http.post("/v1/tokens", json=again)) == (409, "token exists")
    card = {"id_token": "DE8AAC12345678", "type": "ISO14443"}
    other = {"id_token": "FR8AAC12345678", "type": "eMAID"}
    wanted = [again | {"id_token": "DE8AAC12345678D"}, card, other, other | {"id_token": "FR-8AA-C12345678"}]
    bulk = (await http.post("/v1/tokens/bulk", json={"tokens": wanted})).json()
    assert [each["result"] for each in bulk["items"]] == ["exists", "created", "created", "exists"]

    asked = await http.post(START, json={"id_token": "FR-8AA-C12345678"})
    assert asked.status_code == 202
    token = {"idToken": "de-8aa-c12345678", "type": "eMAID"}
    started = {"eventType": "Started", "timestamp": "2025-06-01T12:00:00Z", "triggerReason": "Authorized", "seqNo": 0}
    started |= {"transactionInfo": {"transactionId": "t"}, "evse": {"id": 1}, "idToken": token}
    await service.apply(service.frame("TransactionEvent", started, "2.0.1", "CS9"))
    for spelling in ("DE8AAC12345678D", "DE-8AA-C12345678", "DE-8AA-C12345678-D"):
        found = (await http.get("/v1/sessions", params={"id_token": spelling})).json()["items"]
        assert [each["station_id"] for each in found] == ["CS9"]
    in_use = await http.post(START, json={"id_token": "DE8AAC12345678D"})
    assert problem(in_use) == (409, "token in use")


async def test_a_contract_is_shown_changed_and_deleted_in_any_spelling_and_a_card_as_it_is_written(http):
    card = {"id_token": "DE8AAC12345678", "type": "ISO14443"}
    for wanted in ({"id_token": "DE-8AA-C12345678-D", "type": "eMAID"}, card):
        assert (await http.post("/v1/tokens", json=wanted)).status_code == 201

    blocked = await http.patch("/v1/tokens/de8aac12345678d", json={"blocked": True})
    assert (blocked.status_code, blocked.json()["id_token"]) == (200, "DE-8AA-C12345678-D")
    assert (await http.get("/v1/tokens/DE-8AA-C12345678")).json()["blocked"] is True
    assert (await http.get("/v1/tokens/de8aac12345678")).json()["type"] == "ISO14443"
    again = [(await http.delete("/v1/tokens/de8aac12345678")).status_code for _ in range(2)]
    assert again == [204, 404]
    assert (await http.get("/v1/tokens/DE-8AA-C12345678")).status_code == 200
    assert (await http.post("/v1/tokens", json=card)).status_code == 201
    again = [(await http.delete("/v1/tokens/de8aac12345678?type=eMAID")).status_code for _ in range(2)]
    assert again == [204, 404]
    assert (await http.delete("/v1/tokens/de8aac12345678")).status_code == 204
    assert problem(await http.get("/v1/tokens/DE-8AA-C12345678-D")) == (404, "no such token")


async def test_a_token_with_a_slash_is_reached(http):
    await http.post("/v1/tokens", json={"id_token": "DE*8/15"})

    assert (await http.get("/v1/tokens/DE*8%2F15")).json()["id_token"] == "DE*8/15"


@pytest.mark.parametrize("text", ["DE*8/15", "a?b", "a#b", "50%", "Käfer", "卡"])
async def test_a_new_token_is_where_the_answer_says(http, text):
    made = await http.post("/v1/tokens", json={"id_token": text})

    assert made.status_code == 201
    assert (await http.get(made.headers["location"])).json()["id_token"] == text


@pytest.mark.parametrize("expires_at", ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"])
async def test_a_time_beyond_the_calendar_is_refused(http, expires_at):
    changed = await http.patch("/v1/tokens/good", json={"expires_at": expires_at})
    made = await http.post("/v1/tokens", json={"id_token": "new", "expires_at": expires_at})
    listed = await http.get("/v1/sessions", params={"from": expires_at})

    assert [problem(each) for each in (changed, made, listed)] == [(422, "invalid request")] * 3


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
async def test_a_remote_start_that_no_column_holds_is_refused(http, number):
    refused = await http.get("/v1/sessions", params={"remote_start_id": number})

    assert problem(refused) == (422, "invalid request")


@pytest.mark.parametrize("evse_id", [0, 2**31])
async def test_an_evse_that_cannot_be_is_refused(http, service, evse_id):
    assert problem(await http.post(START.replace("/2/", f"/{evse_id}/"), json={"id_token": "good"})) == (
        422,
        "invalid request",
    )


@pytest.mark.parametrize("token", [{"id_token": ""}, {"id_token": "a\u0000"}, {"id_token": "x", "bloked": True}, {}])
async def test_a_token_that_cannot_be_is_refused(http, token):
    assert problem(await http.post("/v1/tokens", json=token)) == (422, "invalid request")


async def test_tokens_are_registered_in_bulk_and_existing_ones_left_alone(http):
    wanted = [{"id_token": "A"}, {"id_token": "blocked"}, {"id_token": "a"}]
    answer = (await http.post("/v1/tokens/bulk", json={"tokens": wanted})).json()

    assert (answer["created"], answer["exists"]) == (1, 2)
    assert [item["result"] for item in answer["items"]] == ["created", "exists", "exists"]
    assert (await http.get("/v1/tokens/blocked")).json()["blocked"] is True


async def test_of_two_equal_tokens_in_bulk_the_first_is_registered(http):
    wanted = [{"id_token": "AB"}, {"id_token": "ab", "blocked": True}]
    answer = (await http.post("/v1/tokens/bulk", json={"tokens": wanted})).json()

    assert [item["result"] for item in answer["items"]] == ["created", "exists"]
    stored = (await http.get("/v1/tokens/ab")).json()
    assert (stored["id_token"], stored["blocked"]) == ("AB", False)


async def test_a_bulk_call_has_a_limit(http):
    wanted = [{"id_token": f"T{n}"} for n in range(6)]

    assert problem(await http.post("/v1/tokens/bulk", json={"tokens": wanted})) == (413, "too many tokens")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["BLOCKED", "CARD", "EXPIRED", "GOOD", "SINGLE"]),
        ({"blocked": True}, ["BLOCKED"]),
        ({"expired": True}, ["EXPIRED"]),
        ({"expired": False, "blocked": False}, ["CARD", "GOOD", "SINGLE"]),
        ({"group_id": "FAMILY"}, ["GOOD"]),
        ({"prefix": "Bl"}, ["BLOCKED"]),
    ],
)
async def test_tokens_are_listed_by_filters(http, query, found):
    items = (await http.get("/v1/tokens", params=query)).json()["items"]

    assert [item["id_token"] for item in items] == found


async def test_tokens_are_paged(http):
    first = (await http.get("/v1/tokens", params={"limit": 3})).json()
    second = (await http.get("/v1/tokens", params={"limit": 3, "cursor": first["next"]})).json()

    assert [item["id_token"] for item in first["items"] + second["items"]] == [
        "BLOCKED",
        "CARD",
        "EXPIRED",
        "GOOD",
        "SINGLE",
    ]
    assert second["next"] is None


def start(**changes):
    return {"connectorId": 1, "idTag": "GOOD", "meterStart": 100, "timestamp": "2025-06-01T12:00:00Z"} | changes


@pytest.fixture
async def sessions(service):
    """Three sessions: an ended one, an active one, and one with a blocked token on another station."""
    first = service.frame("StartTransaction", start())
    ended = await service.apply(first)
    stop = {"transactionId": ended.answers[0]["transactionId"], "meterStop": 1500, "timestamp": "2025-06-01T12:40:00Z"}
    await service.apply(service.frame("StopTransaction", stop))
    active = await service.apply(service.frame("StartTransaction", start(timestamp="2025-06-01T13:00:00Z")))
    blocked = await service.apply(
        service.frame("StartTransaction", start(idTag="blocked", timestamp="2025-06-02T00:00:00Z"), station_id="CS2")
    )
    return [applied.events[0][1].session_id for applied in (ended, active, blocked)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {0, 1, 2}),
        ({"station_id": "CS2"}, {2}),
        ({"state": "active"}, {1, 2}),
        ({"id_token": "gOOd"}, {0, 1}),
        ({"billable": False}, {2}),
        ({"from": "2025-06-01T12:30:00Z"}, {1, 2}),
        ({"to": "2025-06-01T13:00:00Z"}, {0}),
        ({"station_id": "CS1", "state": "ended"}, {0}),
    ],
)
async def test_sessions_are_listed_by_filters(http, sessions, query, found):
    items = (await http.get("/v1/sessions", params=query)).json()["items"]

    assert {item["session_id"] for item in items} == {sessions[index] for index in found}


class Explaining:
    """Takes the place of the pool: finds nothing, and keeps how it would have gone about it."""

    def __init__(self, pool):
        self._pool = pool
        self.plan = ""

    async def fetch(self, query, *arguments):
        self.plan = "\n".join(row[0] for row in await self._pool.fetch(f"EXPLAIN {query}", *arguments))
        return []


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (SessionFilter(state="active"), "charging_session_active"),
        (SessionFilter(remote_start_id=4711), "charging_session_remote_start"),
    ],
)
async def test_what_apps_ask_for_again_and_again_is_looked_up(service, wanted, index):
    frames = [service.frame("StartTransaction", start(), station_id=f"CS{n}") for n in range(500)]
    await service.apply(*frames)
    await service.database.pool.execute("UPDATE charging_session SET state = 'ended' WHERE station_id <> 'CS7'")
    await service.database.pool.execute("UPDATE charging_session SET remote_start_id = 5 WHERE station_id = 'CS7'")
    await service.database.pool.execute("VACUUM ANALYZE charging_session")
    explaining = Explaining(service.database.pool)
    await stored_sessions.listed(explaining, wanted, None, 51)

    assert f"using {index} " in explaining.plan


async def test_sessions_are_paged(http, sessions):
    found, cursor = [], None
    while cursor or not found:
        page = (await http.get("/v1/sessions", params={"limit": 1} | ({"cursor": cursor} if cursor else {}))).json()
        found += [item["session_id"] for item in page["items"]]
        cursor = page["next"]

    assert found == sorted(sessions, reverse=True)


async def test_a_session_shows_what_it_adds_up_to_and_its_events(http, sessions):
    shown = (await http.get(f"/v1/sessions/{sessions[0]}")).json()

    assert (shown["energy_wh"], shown["duration_s"], shown["stop_reason"]) == (1400.0, 2400.0, "Local")
    assert (shown["authorization"], shown["billable"], shown["state"]) == ("Accepted", True, "ended")
    assert [(each["seq_no"], each["type"]) for each in shown["events"]] == [(0, "Started"), (1, "Ended")]


async def test_a_gap_is_shown(http, service):
    for number, kind in ((0, "Started"), (4, "Ended")):
        request = {
            "eventType": kind,
            "timestamp": "2025-06-01T12:00:00Z",
            "triggerReason": "Trigger",
            "seqNo": number,
            "transactionInfo": {"transactionId": "tx"},
        }
        await service.apply(service.frame("TransactionEvent", request, "2.0.1"))

    [shown] = (await http.get("/v1/sessions")).json()["items"]
    assert shown["gaps"] == [[1, 3]]


@pytest.mark.parametrize("session_id", ["nope", "00000000-0000-7000-8000-000000000000"])
async def test_a_session_that_there_is_not_is_not_found(http, session_id):
    assert problem(await http.get(f"/v1/sessions/{session_id}")) == (404, "no such session")
    assert problem(await http.post(f"/v1/sessions/{session_id}/stop")) == (404, "no such session")


async def test_a_cursor_of_somewhere_else_is_refused(http):
    assert problem(await http.get("/v1/sessions", params={"cursor": "x"})) == (422, "invalid request")


async def test_F01_a_remote_start_is_asked_for_in_the_words_of_every_version(http, service):
    answer = await http.post(START, json={"id_token": "good", "timeout_s": 9})

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/commands/{answer.json()['command_id']}"
    [command] = await commands(service)
    assert (command.requester, command.station_id, command.intent) == ("session", "CS1", "start")
    assert (command.timeout_s, command.ttl_s) == (9.0, 5.0)
    assert [(form.action, form.versions) for form in command.forms] == [
        ("RemoteStartTransaction", ("1.6",)),
        ("RequestStartTransaction", ("2.0.1",)),
        ("RequestStartTransaction", ("2.1",)),
    ]
    for form in command.forms:
        validate_call(form.versions[0], form.action, bytes(form.payload))
        payload = json.loads(bytes(form.payload))
        assert payload.get("evseId", payload.get("connectorId")) == 2
        assert payload.get("remoteStartId", answer.json()["remote_start_id"]) == answer.json()["remote_start_id"]


async def test_a_remote_start_carries_a_charging_profile_and_is_another_ask_without(http, service):
    profile = {"profile_id": 7, "unit": "W", "periods": [{"start_s": 0, "limit": 7000}, {"start_s": 60, "limit": 0}]}
    asked = {"id_token": "good", "charging_profile": profile}
    key = {"Idempotency-Key": "k1"}

    answer = await http.post(START, json=asked, headers=key)
    again = await http.post(START, json=asked, headers=key)
    other = await http.post(START, json={"id_token": "good"}, headers=key)

    assert (answer.status_code, again.json()["command_id"]) == (202, answer.json()["command_id"])
    assert other.status_code == 422
    [command] = await commands(service)
    limits = [json.loads(bytes(form.payload))["chargingProfile"] for form in command.forms]
    assert all(limit["chargingProfilePurpose"] == "TxProfile" for limit in limits)


@pytest.mark.parametrize(
    "periods",
    [[], [{"start_s": 1, "limit": 6}], [{"start_s": 0, "limit": -1}], [{"start_s": 0, "limit": 6}] * 2],
)
async def test_a_remote_start_under_an_impossible_schedule_is_refused(http, periods):
    profile = {"profile_id": 7, "periods": periods}
    refused = await http.post(START, json={"id_token": "good", "charging_profile": profile})

    assert refused.status_code == 422
    assert "charging_profile.periods" in str(refused.json()["errors"])


async def test_a_remote_start_leads_to_its_session(http, service):
    remote_start_id = (await http.post(START, json={"id_token": "good"})).json()["remote_start_id"]
    request = {
        "eventType": "Started",
        "timestamp": "2025-06-01T12:00:00Z",
        "triggerReason": "RemoteStart",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "tx", "remoteStartId": remote_start_id},
    }
    await service.apply(service.frame("TransactionEvent", request, "2.0.1"))

    [found] = (await http.get("/v1/sessions", params={"remote_start_id": remote_start_id})).json()["items"]
    assert found["transaction_id"] == "tx"


@pytest.mark.parametrize(
    ("token", "status", "title"),
    [
        ("nobody", 422, "token unknown"),
        ("blocked", 409, "token blocked"),
        ("expired", 409, "token expired"),
    ],
)
async def test_a_remote_start_with_a_token_that_may_not_charge_is_refused(http, service, token, status, title):
    assert problem(await http.post(START, json={"id_token": token})) == (status, title)
    assert await commands(service) == []


async def test_a_remote_start_with_a_token_that_is_in_use_is_refused(http, service):
    await service.apply(service.frame("StartTransaction", start(idTag="single"), station_id="CS2"))

    assert problem(await http.post(START, json={"id_token": "single"})) == (409, "token in use")


@pytest.mark.parametrize(("length", "versions"), [(20, 3), (21, 2), (36, 2), (37, 1), (255, 1)])
async def test_a_token_too_long_for_a_version_is_not_asked_for_in_its_words(http, service, length, versions):
    await http.post("/v1/tokens", json={"id_token": "x" * length})
    assert (await http.post(START, json={"id_token": "x" * length})).status_code == 202

    [command] = await commands(service)
    assert [form.versions[0] for form in command.forms] == ["1.6", "2.0.1", "2.1"][-versions:]


async def test_a_start_that_is_asked_for_again_under_its_key_is_the_same(http, service):
    asked = {"json": {"id_token": "good"}, "headers": {"Idempotency-Key": "k1"}}
    first, again = await http.post(START, **asked), await http.post(START, **asked)

    assert first.json() == again.json()
    assert len(await commands(service)) == 1
    assert await service.rows("SELECT count(*) FROM remote_start") == [(1,)]
    other = await http.post(START, json={"id_token": "card"}, headers={"Idempotency-Key": "k1"})
    assert problem(other) == (422, "the idempotency key was used before")


async def test_a_stop_that_is_asked_for_again_under_its_key_is_the_same_though_the_session_ended(
    http, service, sessions
):
    asked = {"headers": {"Idempotency-Key": "k2"}}
    first = await http.post(f"/v1/sessions/{sessions[1]}/stop", **asked)
    await service.database.pool.execute("UPDATE charging_session SET state = 'ended'")
    again = await http.post(f"/v1/sessions/{sessions[1]}/stop", **asked)

    assert (first.status_code, first.json()) == (202, again.json())
    assert len(await commands(service)) == 1


async def test_waiting_for_a_remote_start_gives_its_outcome(http, service):
    running = asyncio.create_task(service.commanding.tasks[0]())
    calling = asyncio.create_task(http.post(START, json={"id_token": "good", "wait": True}))
    while not (sent := await commands(service)):
        await asyncio.sleep(0)
    await service.apply(
        service.outcome(
            sent[0].command_id, intent="start", subject=sent[0].subject, payload=msgspec.Raw(b'{"status":"Rejected"}')
        )
    )
    answer = await calling
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert answer.status_code == 200
    assert (answer.json()["outcome"], answer.json()["status"]) == ("answered", "Rejected")


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (
            {
                "payload": msgspec.Raw(
                    b'{"status":"Rejected","statusInfo":{"reasonCode":"TxInProgress","additionalInfo":"cable 2"}}'
                )
            },
            {
                "outcome": "answered",
                "status": "Rejected",
                "status_info": {"reason_code": "TxInProgress", "additional_info": "cable 2"},
                "broken": False,
                "reason": "TxInProgress: cable 2",
            },
        ),
        (
            {
                "payload": msgspec.Raw(b'{"status":"accepted"}'),
                "error_code": "PropertyConstraintViolation",
                "reason": "the station's answer breaks its schema: status",
            },
            {
                "outcome": "answered",
                "status": "accepted",
                "status_info": None,
                "broken": True,
                "reason": "the station's answer breaks its schema: status",
            },
        ),
        (
            {"outcome": "expired", "reason": "the station is not connected; it waited for 5 s"},
            {"outcome": "expired", "status": None, "reason": "the station is not connected; it waited for 5 s"},
        ),
    ],
)
async def test_an_intent_says_what_happened(http, service, outcome, shown):
    asked = {"json": {"id_token": "good", "timeout_s": 1}, "headers": {"Idempotency-Key": "k3"}}
    await http.post(START, **asked)
    [sent] = await commands(service)
    await service.apply(service.outcome(sent.command_id, intent="start", subject=sent.subject, **outcome))
    answer = await http.post(START, json={**asked["json"], "wait": True}, headers=asked["headers"])

    assert {name: answer.json()[name] for name in shown} == shown


async def test_waiting_in_vain_leaves_the_command_to_be_asked_for(http, service, monkeypatch):
    monkeypatch.setattr("chargebus_session.remote.operations._GRACE_S", 0.0)
    answer = await http.post(START, json={"id_token": "good", "wait": True, "timeout_s": 0.01, "ttl_s": 0})

    assert (answer.status_code, answer.json()["outcome"]) == (202, None)


async def test_F03_a_session_is_stopped_in_the_words_of_the_version_in_which_it_began(http, service, sessions):
    answer = await http.post(f"/v1/sessions/{sessions[1]}/stop", json={})

    assert answer.status_code == 202
    [command] = await commands(service)
    [form] = command.forms
    validate_call("1.6", "RemoteStopTransaction", bytes(form.payload))
    assert (form.action, form.versions) == ("RemoteStopTransaction", ("1.6",))


async def test_F03_a_session_of_2_x_is_stopped_though_its_station_changed_to_another_2_x(http, service):
    request = {
        "eventType": "Started",
        "timestamp": "2025-06-01T12:00:00Z",
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "tx"},
    }
    await service.apply(service.frame("TransactionEvent", request, "2.0.1"))
    [session] = (await http.get("/v1/sessions")).json()["items"]
    await http.post(f"/v1/sessions/{session['session_id']}/stop")

    [command] = await commands(service)
    assert [form.versions for form in command.forms] == [("2.0.1",), ("2.1",)]


async def test_a_session_is_stopped_without_a_body(http, service, sessions):
    assert (await http.post(f"/v1/sessions/{sessions[1]}/stop")).status_code == 202


async def test_a_session_that_ended_is_not_stopped(http, sessions):
    assert problem(await http.post(f"/v1/sessions/{sessions[0]}/stop")) == (409, "session ended")


async def decide(http, session_id, action, **said):
    return await http.post(f"/v1/sessions/{session_id}/{action}", json={"reason": "station is gone", **said})


async def told(service):
    """The events of sessions that calls sent, each with its type's last word."""
    return [
        (dict(record.headers)["ce_type"].decode().split(".")[2], msgspec.json.decode(record.value, type=Session))
        for record in await service.settled()
        if record.topic == SESSION_EVENTS
    ]


async def test_an_operator_ends_a_session_which_is_kept_and_told(http, service, sessions):
    shown = await decide(http, sessions[1], "end", ended_at="2025-06-01T11:00:00Z")
    assert problem(shown) == (422, "impossible values")
    ended = (await decide(http, sessions[1], "end", meter_stop_wh=600.0)).json()

    assert (ended["state"], ended["energy_wh"], ended["energy_source"], ended["ended_at"]) == (
        "ended",
        500,
        "operator",
        None,
    )
    assert {"end_unknown", "ended_by_operator"} <= set(ended["flags"])
    [decision] = ended["decisions"]
    assert (decision["action"], decision["reason"], decision["said"]) == (
        "end",
        "station is gone",
        {"meter_stop_wh": 600},
    )
    assert decision["decided_by"]
    [(kind, event)] = await told(service)
    assert (kind, event.session_id, event.state, event.energy_wh) == ("ended", sessions[1], "ended", 500)
    assert problem(await decide(http, sessions[1], "end")) == (409, "session ended")


async def test_a_session_that_an_operator_ended_no_longer_holds_its_token(http, service):
    applied = await service.apply(service.frame("StartTransaction", start(idTag="single")))
    await decide(http, applied.events[0][1].session_id, "end")
    later = service.frame("StartTransaction", start(idTag="single", timestamp="2025-06-01T12:30:00Z"), station_id="CS2")

    assert (await service.apply(later)).answers[0]["idTagInfo"]["status"] == "Accepted"


async def test_what_an_operator_settled_stays_though_the_station_says_otherwise_later(http, service, sessions):
    await decide(http, sessions[1], "end", meter_stop_wh=600.0)
    stop = {"transactionId": 2, "meterStop": 9100, "timestamp": "2025-06-01T12:50:00Z"}
    applied = await service.apply(service.frame("StopTransaction", stop))

    [(kind, event)] = applied.events
    assert (kind, event.energy_wh) == ("ended", 500)
    assert {"ended_by_operator", "settled_before"} <= set(event.flags)


async def test_an_operator_corrects_a_session(http, service, sessions):
    said = {
        "energy_wh": 900.0,
        "ended_at": "2025-06-01T11:59:00Z",
        "started_at": "2025-06-01T11:00:00Z",
        "id_token": "CARD",
    }
    changed = (await decide(http, sessions[0], "correct", **said)).json()

    shown = (changed["energy_wh"], changed["duration_s"], changed["id_token"], changed["flags"])
    assert shown == (900, 3540, "CARD", ["corrected"])
    [(kind, event)] = await told(service)
    assert (kind, event.energy_wh, event.id_token, event.energy_source) == ("updated", 900, "CARD", "operator")
    again = (await decide(http, sessions[0], "correct", billable=False)).json()
    assert (again["energy_wh"], again["billable"], len(again["decisions"])) == (900, False, 2)
    assert (await http.get("/v1/sessions", params={"id_token": "card"})).json()["items"][0]["session_id"] == sessions[0]


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ({}, "invalid request"),
        ({"reason": " ", "billable": True}, "invalid request"),
        ({"energy_wh": -1.0}, "invalid request"),
        ({"energy_wh": "5"}, "invalid request"),
        ({"id_token": "nobody"}, "token unknown"),
        ({"ended_at": "2025-06-01T11:00:00Z"}, "impossible values"),
        ({"ended_at": "2031-06-01T11:00:00Z"}, "impossible values"),
        ({"meter_stop_wh": 50.0}, "impossible values"),
        ({"meter_stop_wh": 200.0, "meter_start_wh": 100.0, "energy_wh": 7.0}, "impossible values"),
    ],
)
async def test_a_correction_that_cannot_be_is_refused(http, service, sessions, said, title):
    assert problem(await decide(http, sessions[0], "correct", **said)) == (422, title)
    assert await told(service) == []


async def test_an_operator_reopens_a_session_and_its_next_end_counts(http, service, sessions):
    assert problem(await decide(http, sessions[1], "reopen")) == (409, "session not ended")
    assert problem(await decide(http, sessions[1], "correct", billable=False)) == (409, "session not ended")
    opened = (await decide(http, sessions[0], "reopen")).json()
    assert (opened["state"], opened["ended_at"], opened["flags"]) == ("active", None, ["reopened"])
    [(kind, event)] = await told(service)
    assert (kind, event.state) == ("updated", "active")
    stop = {"transactionId": 1, "meterStop": 2500, "timestamp": "2025-06-01T12:55:00Z"}
    first = service.frame("StopTransaction", stop | {"meterStop": 1500, "timestamp": "2025-06-01T12:40:00Z"})
    await service.apply(first, service.frame("StopTransaction", stop))

    shown = (await http.get(f"/v1/sessions/{sessions[0]}")).json()
    assert (shown["state"], shown["energy_wh"], shown["flags"]) == (
        "ended",
        2400,
        ["reopened", "sequence_number_reused"],
    )


@pytest.mark.parametrize("action", ["end", "correct", "reopen"])
async def test_what_there_is_not_is_not_decided_on(http, action):
    for session_id in ("nope", "00000000-0000-7000-8000-000000000000"):
        said = {"billable": True} if action == "correct" else {}
        assert problem(await decide(http, session_id, action, **said)) == (404, "no such session")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/tokens"),
        ("POST", "/v1/tokens/bulk"),
        ("PATCH", "/v1/tokens/good"),
        ("DELETE", "/v1/tokens/good"),
        ("POST", START),
        ("POST", "/v1/sessions/x/stop"),
        ("POST", "/v1/sessions/x/end"),
        ("POST", "/v1/sessions/x/correct"),
        ("POST", "/v1/sessions/x/reopen"),
    ],
)
async def test_a_viewer_only_reads(http, ring, method, path):
    ring.role = Role.VIEWER

    assert problem(await http.request(method, path, json={"id_token": "x", "tokens": []})) == (403, "not allowed")
    assert (await http.get("/v1/sessions")).status_code == 200
    assert (await http.get("/v1/tokens/good")).status_code == 200
