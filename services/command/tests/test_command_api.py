"""What callers of the HTTP API see, against a real database."""

import asyncio
import hashlib
import json

import msgspec
import pytest
from chargebus_command.resources import MAX_PAYLOAD_BYTES
from chargebus_command.routes import role_for
from chargebus_events.topics import DOWNLINK
from chargebus_runtime.http import Role
from chargebus_runtime.sealing import Sealing

RESET = {"action": "Reset", "payload": {"type": "Soft"}}
COMMANDS = "/stations/CS-1/commands"


def answer_at_once(service, payload=b'{"status":"Accepted"}'):
    """Be the edge: each command that goes down is answered in a batch of its own."""
    tasks = set()

    def on_record(record):
        if record.topic == DOWNLINK:
            command_id = dict(record.headers)["ce_id"].decode()
            report = service.delivery(record.key, command_id, "answered", payload=msgspec.Raw(payload))
            tasks.add(asyncio.get_running_loop().create_task(service.apply(report)))

    service.sent.on_record = on_record


@pytest.mark.parametrize("http_wait_s", [600])
async def test_a_caller_who_waits_gets_the_outcome_as_soon_as_it_is_there(api, service):
    await service.come_online("CS-1")
    answer_at_once(service)
    answer = await asyncio.wait_for(api.post(COMMANDS, json=RESET), 180)

    assert answer.status_code == 200
    command = answer.json()
    assert (command["outcome"], command["reply"]) == ("answered", {"status": "Accepted"})
    assert (command["requester"], command["requested_by"]) == ("http", "idoperator")
    assert answer.headers["Location"] == f"/v1/commands/{command['command_id']}"


async def test_a_caller_who_waits_in_vain_gets_a_link_and_the_command_goes_on(api, service):
    await service.come_online("CS-1")
    answer = await api.post(COMMANDS, json=RESET)
    command_id = answer.json()["command_id"]
    await service.apply(service.delivery("CS-1", command_id, "answered", payload=msgspec.Raw(b"{}")))
    later = await api.get(answer.headers["Location"].removeprefix("/v1"))

    assert (answer.status_code, answer.json()["state"]) == (202, "sent")
    assert (later.json()["state"], later.json()["outcome"]) == ("ended", "answered")


async def test_a_caller_who_does_not_wait_gets_a_link(api, service):
    await service.come_online("CS-1")
    answer = await api.post(COMMANDS, json={**RESET, "wait": False})

    assert (answer.status_code, answer.json()["state"]) == (202, "sent")
    assert service.downlinks(await service.settled()) == [("CS-1", 3, answer.json()["command_id"].encode())]


async def test_a_station_that_is_away_is_an_outcome_at_once(api, service):
    await service.apply(service.registered("CS-1"))
    answer = await api.post(COMMANDS, json=RESET)

    assert answer.status_code == 200
    assert (answer.json()["outcome"], answer.json()["reason"]) == ("undeliverable", "the station is not connected")
    assert service.outcomes(await service.settled()) == []


async def test_a_command_with_a_life_waits_for_the_station(api, service):
    await service.apply(service.registered("CS-1"))
    answer = await api.post(COMMANDS, json={**RESET, "ttl_s": 60, "wait": False})
    sent = await service.come_online("CS-1")

    assert answer.json()["state"] == "queued"
    assert service.downlinks(sent) == [("CS-1", 3, answer.json()["command_id"].encode())]


async def test_an_unknown_station_is_not_found(api, service):
    answer = await api.post("/stations/NOBODY/commands", json=RESET)

    assert (answer.status_code, answer.json()["title"]) == (404, "no such station")
    assert await service.fetch("SELECT * FROM command") == []
    assert (await api.get("/stations/NOBODY/commands")).status_code == 404


@pytest.mark.parametrize(
    ("version", "request_body", "says"),
    [
        ("1.6", {"action": "Reset", "payload": {"type": "Sofft"}}, "breaks the schema of OCPP 1.6"),
        ("2.0.1", RESET, "breaks the schema of OCPP 2.0.1"),
        ("2.0.1", {"action": "ChangeConfiguration"}, "not a command of OCPP 2.0.1"),
        ("1.6", {"action": "Heartbeat"}, "not a command of OCPP 1.6"),
    ],
)
async def test_a_command_that_the_stations_version_does_not_take_is_refused(api, service, version, request_body, says):
    await service.come_online("CS-1", version=version)
    answer = await api.post(COMMANDS, json=request_body)

    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert await service.fetch("SELECT * FROM command") == []


@pytest.mark.parametrize(
    ("request_body", "status"),
    [
        ({"action": "Reset", "payload": {"type": "Soft"}}, 202),
        ({"action": "Reset", "payload": {"type": "Immediate"}}, 202),
        ({"action": "Reset", "payload": {"type": "Nonsense"}}, 422),
        ({"action": "Nonsense"}, 422),
    ],
)
async def test_for_a_station_that_never_connected_one_version_must_take_it(api, service, request_body, status):
    await service.apply(service.registered("CS-1"))
    answer = await api.post(COMMANDS, json={**request_body, "ttl_s": 60, "wait": False})

    assert answer.status_code == status


async def test_what_fitted_some_version_is_checked_again_for_the_one_that_connects(api, service):
    await service.apply(service.registered("CS-1"))
    placed = await api.post(COMMANDS, json={**RESET, "ttl_s": 60, "wait": False})
    await service.come_online("CS-1", version="2.1")
    command = (await api.get(placed.headers["Location"].removeprefix("/v1"))).json()

    assert command["outcome"] == "undeliverable"
    assert "breaks the schema of OCPP 2.1" in command["reason"]


@pytest.mark.parametrize(
    "wrong",
    [{"timeout_s": 0.5}, {"timeout_s": 601}, {"ttl_s": -1}, {"ttl_s": 1e9}, {"payload": []}, {"action": ""}, {"x": 1}],
)
async def test_times_out_of_bounds_and_strange_members_are_refused(api, service, wrong):
    await service.come_online("CS-1")
    answer = await api.post(COMMANDS, json={**RESET, **wrong})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_payload_that_no_station_takes_is_refused(api, service):
    await service.come_online("CS-1")
    payload = {"vendorId": "x", "data": MAX_PAYLOAD_BYTES * "x"}
    answer = await api.post(COMMANDS, json={"action": "DataTransfer", "payload": payload})

    assert (answer.status_code, "bytes at most" in answer.json()["detail"]) == (422, True)


async def test_a_station_of_which_the_news_are_not_read_yet_gets_its_command(api, service):
    service.news.unread = lambda: service.come_online("CS-1")
    answer = await api.post(COMMANDS, json={**RESET, "wait": False})

    assert (answer.status_code, answer.json()["state"]) == (202, "sent")
    assert service.news.asked_for == ["CS-1"]


async def test_a_station_that_is_registered_and_connects_just_now_is_not_away(api, service):
    await service.apply(service.registered("CS-1"))
    service.news.unread = lambda: service.come_online("CS-1")
    answer = await api.post(COMMANDS, json={**RESET, "wait": False})

    assert answer.json()["state"] == "sent"


async def test_news_are_waited_for_only_where_a_command_would_be_denied(api, service):
    await service.apply(service.registered("CS-2"))
    await service.come_online("CS-1")
    await api.post(COMMANDS, json={**RESET, "wait": False})
    await api.post("/stations/CS-2/commands", json={**RESET, "ttl_s": 60, "wait": False})

    assert service.news.asked_for == []


async def test_commands_that_come_at_the_same_time_take_one_transaction(api, service):
    names = [f"CS-{number}" for number in range(20)]
    await service.come_online(*names)
    before = await service.fetch("SELECT count(*) FROM outbox")
    await asyncio.gather(*(api.post(f"/stations/{name}/commands", json={**RESET, "wait": False}) for name in names))

    assert before == [(0,)]
    assert await service.fetch("SELECT count(DISTINCT xmin::text) < 5, count(*) FROM command") == [(True, 20)]


async def test_a_command_that_is_denied_harms_none_of_those_that_came_with_it(api, service):
    await service.come_online("CS-1", "CS-2")
    calls = (
        ("CS-1", RESET),
        ("CS-2", {"action": "Reset", "payload": {"type": "Nonsense"}}),
        ("NOBODY", RESET),
        ("CS-2", RESET),
    )
    answers = await asyncio.gather(
        *(api.post(f"/stations/{name}/commands", json={**body, "wait": False}) for name, body in calls)
    )

    assert [answer.status_code for answer in answers] == [202, 422, 404, 202]


FIRMWARE = {"location": "http://x", "retrieveDate": "2026-01-01T00:00:00Z"}
ROOT_CERTIFICATE = {"certificateType": "CSMSRootCertificate", "certificate": "x"}
SECURITY = {
    "component": {"name": "securityCtrlr"},
    "variable": {"name": "BasicAuthPassword"},
    "attributeValue": "x" * 16,
}
INTERVAL = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}, "attributeValue": "60"}
PRIORITY = {**INTERVAL, "variable": {"name": "NetworkConfigurationPriority"}, "attributeValue": "1"}


@pytest.mark.parametrize(
    ("version", "command"),
    [
        ("2.0.1", {"action": "InstallCertificate", "payload": ROOT_CERTIFICATE}),
        ("2.0.1", {"action": "SetVariables", "payload": {"setVariableData": [INTERVAL, SECURITY]}}),
        ("2.0.1", {"action": "SetVariables", "payload": {"setVariableData": [PRIORITY]}}),
        ("1.6", {"action": "ChangeConfiguration", "payload": {"key": "authorizationkey", "value": "x"}}),
        ("1.6", {"action": "UpdateFirmware", "payload": FIRMWARE}),
    ],
)
async def test_what_decides_whom_a_station_trusts_is_an_administrators(api, role_headers, service, version, command):
    await service.come_online("CS-1", version=version)
    body = {**command, "wait": False}
    operator = await api.post(COMMANDS, json=body)
    admin = await api.post(COMMANDS, json=body, headers=role_headers("admin"))

    assert (operator.status_code, operator.json()["title"], admin.status_code) == (403, "not allowed", 202)
    assert operator.json()["detail"].endswith("it needs the role admin.")


@pytest.mark.parametrize(
    ("action", "payload", "role"),
    [
        ("SetVariables", {"setVariableData": [INTERVAL]}, Role.OPERATOR),
        ("SetVariables", {"setVariableData": "nonsense"}, Role.OPERATOR),
        ("SetVariables", {"setVariableData": ["nonsense", {"component": 1}]}, Role.OPERATOR),
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}, Role.OPERATOR),
        ("ChangeConfiguration", {"key": " SecurityProfile", "value": "3"}, Role.ADMIN),
        ("DataTransfer", {"vendorId": "x"}, Role.OPERATOR),
        ("SetNetworkProfile", {}, Role.ADMIN),
    ],
)
def test_all_else_is_an_operators(action, payload, role):
    assert role_for(action, payload) == role


async def test_a_full_queue_is_told(api, service):
    await service.apply(service.registered("CS-1"))
    body = {**RESET, "ttl_s": 60, "wait": False}
    statuses = [(await api.post(COMMANDS, json=body)).status_code for _ in range(6)]

    assert statuses == [202] * 5 + [429]


async def test_the_same_key_and_body_is_the_same_command_sent_once(api, service):
    await service.come_online("CS-1")
    key = {"Idempotency-Key": "k1"}
    first = await api.post(COMMANDS, json={**RESET, "wait": False}, headers=key)
    answer_at_once(service)
    second = await api.post(COMMANDS, json={**RESET, "timeout_s": 30}, headers=key)

    assert second.json()["command_id"] == first.json()["command_id"]
    assert len(service.downlinks(await service.settled())) == 1


async def test_a_repeated_call_waits_for_the_first_ones_outcome(api, service):
    await service.come_online("CS-1")
    key = {"Idempotency-Key": "k1"}
    first = await api.post(COMMANDS, json={**RESET, "wait": False}, headers=key)
    waiting = asyncio.create_task(api.post(COMMANDS, json=RESET, headers=key))
    while await service.fetch("SELECT FROM command WHERE awaited") == []:
        await asyncio.sleep(0.01)
    await service.apply(service.delivery("CS-1", first.json()["command_id"], "refused", error_code="NotSupported"))
    second = await waiting

    assert (second.status_code, second.json()["outcome"]) == (200, "refused")
    assert second.json()["error"]["code"] == "NotSupported"


@pytest.mark.parametrize("other", [{"payload": {"type": "Hard"}}, {"ttl_s": 5}, {"timeout_s": 31}])
async def test_the_same_key_with_another_body_is_refused(api, service, other):
    await service.come_online("CS-1")
    key = {"Idempotency-Key": "k1"}
    await api.post(COMMANDS, json={**RESET, "wait": False}, headers=key)
    answer = await api.post(COMMANDS, json={**RESET, **other}, headers=key)

    assert (answer.status_code, answer.json()["title"]) == (422, "the idempotency key was used before")


async def test_calls_at_the_same_time_with_one_key_make_one_command(api, service):
    await service.come_online("CS-1")
    body = {**RESET, "wait": False}
    answers = await asyncio.gather(
        *(api.post(COMMANDS, json=body, headers={"Idempotency-Key": "k1"}) for _ in range(8))
    )

    assert len({answer.json()["command_id"] for answer in answers}) == 1
    assert len(service.downlinks(await service.settled())) == 1


async def test_calls_at_the_same_time_leave_one_in_flight_and_keep_order(api, service):
    await service.come_online("CS-1")
    await asyncio.gather(*(api.post(COMMANDS, json={**RESET, "wait": False}) for _ in range(5)))

    assert await service.fetch("SELECT state FROM command ORDER BY number") == [("sent",)] + [("queued",)] * 4
    assert len(service.downlinks(await service.settled())) == 1


async def test_a_certificate_is_deleted_by_the_route_that_keeps_the_last_root_and_not_from_here(
    api, role_headers, service
):
    await service.come_online("CS-1", version="2.0.1")
    named = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "1"}
    body = {"action": "DeleteCertificate", "payload": {"certificateHashData": named}, "wait": False}
    refused = await api.post(COMMANDS, json=body, headers=role_headers("admin"))
    assert (refused.status_code, refused.json()["title"]) == (409, "another route does it")
    assert "/v1/stations/{station_id}/certificates/{certificate_id}/delete" in refused.json()["detail"]


async def test_a_viewer_reads_and_does_not_steer(api, service, role_headers):
    await service.come_online("CS-1")
    viewer = role_headers("viewer")

    assert (await api.post(COMMANDS, json=RESET, headers=viewer)).status_code == 403
    assert (await api.get("/commands", headers=viewer)).status_code == 200
    assert (await api.get("/commands", headers={"X-API-Key": ""})).status_code == 401


async def test_lists_are_paged_newest_first_and_filtered(api, service):
    await service.come_online("CS-1", "CS-2")
    await service.apply(*(service.request("CS-1", f"c{n}", timeout_s=60) for n in range(4)))
    await service.apply(service.request("CS-2", "d0", "ClearCache", payload=b"{}"))
    await service.apply(service.delivery("CS-1", "c0", "timed_out"))

    async def ids(path):
        return [item["command_id"] for item in (await api.get(path)).json()["items"]]

    first = (await api.get("/commands?limit=3")).json()
    assert [item["command_id"] for item in first["items"]] == ["d0", "c3", "c2"]
    assert await ids(f"/commands?limit=3&cursor={first['next']}") == ["c1", "c0"]
    assert await ids("/commands?state=sent") == ["d0", "c1"]
    assert await ids("/commands?outcome=timed_out") == ["c0"]
    assert await ids("/commands?action=ClearCache") == ["d0"]
    assert await ids("/stations/CS-2/commands") == ["d0"]
    assert await ids("/stations/CS-1/commands?state=queued") == ["c3", "c2"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/commands?cursor=x", 422),
        ("/commands?state=lost", 422),
        ("/commands/none", 404),
        ("/commands?action=%00", 422),
    ],
)
async def test_what_cannot_be_read_is_a_problem(api, service, path, status):
    answer = await api.get(path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


# Secrets

PASSWORD = "correct-horse-batt"
CHANGE = {"action": "ChangeConfiguration", "payload": {"key": "AuthorizationKey", "value": PASSWORD}}


async def dumped(service) -> str:
    """Return all that the database holds."""
    tables = await service.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [row for (table,) in tables for row in await service.fetch(f"SELECT t::text FROM {table} AS t")]
    return "\n".join(text for (text,) in rows)


async def test_a_password_is_sent_and_never_shown(api, service, role_headers):
    await service.come_online("CS-1")
    placed = await api.post(COMMANDS, json={**CHANGE, "wait": False}, headers=role_headers("admin"))
    command_id = placed.json()["command_id"]
    [sent] = [record for record in await service.settled() if record.topic == DOWNLINK]
    reads = [await api.get(f"/commands/{command_id}"), await api.get("/commands"), await api.get(COMMANDS)]

    assert json.loads(sent.value) == CHANGE["payload"]
    assert placed.json()["payload"] == {"key": "AuthorizationKey", "value": "***"}
    assert [PASSWORD in answer.text for answer in (placed, *reads)] == [False] * 4


@pytest.mark.parametrize(("sealing", "sealed"), [(Sealing([b"k" * 32]), True), (Sealing(), False)], ids=["key", "none"])
async def test_nothing_is_left_of_a_password_once_its_command_ended(api, service, role_headers, sealed):
    await service.apply(service.registered("CS-1"))
    headers = role_headers("admin") | {"Idempotency-Key": "k"}
    placed = await api.post(COMMANDS, json={**CHANGE, "ttl_s": 60, "wait": False}, headers=headers)
    waiting = await dumped(service)
    [sent] = [record for record in await service.come_online("CS-1") if record.topic == DOWNLINK]
    command_id = placed.json()["command_id"]
    await service.apply(service.delivery("CS-1", command_id, "answered", payload=msgspec.Raw(b'{"status":"Accepted"}')))

    assert (PASSWORD in waiting) is not sealed  # it may have to be sent yet
    assert json.loads(sent.value) == CHANGE["payload"]
    assert PASSWORD not in await dumped(service)
    assert (await api.get(f"/commands/{command_id}")).json()["outcome"] == "answered"


async def test_a_password_that_is_sent_again_is_still_whole(api, service, role_headers):
    await service.come_online("CS-1")
    body = {**CHANGE, "ttl_s": 600, "wait": False}
    placed = await api.post(COMMANDS, json=body, headers=role_headers("admin"))
    await service.settled()
    await service.apply(service.delivery("CS-1", placed.json()["command_id"], "undeliverable"))
    [again] = [record for record in await service.come_online("CS-1", epoch=8) if record.topic == DOWNLINK]

    assert json.loads(again.value) == CHANGE["payload"]


async def test_another_password_under_the_same_key_is_another_command(api, service, role_headers):
    await service.come_online("CS-1")
    headers = role_headers("admin") | {"Idempotency-Key": "k"}
    first = await api.post(COMMANDS, json={**CHANGE, "wait": False}, headers=headers)
    again = await api.post(COMMANDS, json={**CHANGE, "wait": False}, headers=headers)
    other = {**CHANGE, "payload": {"key": "AuthorizationKey", "value": PASSWORD[::-1]}}
    refused = await api.post(COMMANDS, json={**other, "wait": False}, headers=headers)

    assert again.json()["command_id"] == first.json()["command_id"]
    assert refused.status_code == 422
    [(kept,)] = await service.fetch("SELECT fingerprint FROM command")
    plain = msgspec.json.encode(("CS-1", "ChangeConfiguration", 30.0, 0.0)) + msgspec.json.encode(CHANGE["payload"])
    assert kept != hashlib.sha256(plain).hexdigest()  # which could be guessed from


async def test_why_a_command_does_not_fit_is_told_without_its_password(api, service, role_headers):
    await service.apply(service.registered("CS-1"))
    payload = {"key": "AuthorizationKey", "value": PASSWORD * 30}
    profile = {"action": "ChangeConfiguration", "payload": payload, "ttl_s": 60, "wait": False}
    refused = await api.post(COMMANDS, json=profile, headers=role_headers("admin"))

    assert refused.status_code == 422
    assert PASSWORD not in refused.text


async def test_what_another_service_asks_is_masked_too(service):
    await service.come_online("CS-1")
    payload = msgspec.json.encode(CHANGE["payload"])
    sent = await service.apply(service.request("CS-1", "a", "ChangeConfiguration", payload=payload))
    ended = await service.apply(
        service.delivery("CS-1", "a", "answered", payload=msgspec.Raw(b'{"status":"Accepted"}'))
    )

    assert json.loads(sent[0].value) == CHANGE["payload"]
    assert PASSWORD not in repr(ended) + await dumped(service)


@pytest.mark.parametrize("secret_names", [("Acme/Door",)])
async def test_the_data_of_a_transfer_that_an_operator_names_is_masked_and_the_edge_is_told(api, service):
    await service.come_online("CS-1")
    transfer = {"vendorId": "Acme", "messageId": "Door", "data": PASSWORD}
    placed = await api.post(COMMANDS, json={"action": "DataTransfer", "payload": transfer, "wait": False})
    [sent] = [record for record in await service.settled() if record.topic == DOWNLINK]

    assert placed.json()["payload"] == {**transfer, "data": "***"}
    assert json.loads(sent.value) == transfer
    assert dict(sent.headers)["secret_names"] == b'["Acme/Door"]'
