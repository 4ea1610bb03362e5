"""Plain calls are answered past FastAPI's own way: as it would, and it is left whatever is not plain."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from chargebus_command.api import ApiParts, router
from chargebus_command.domain.state import Rules
from chargebus_command.resources import CommandView, encoded, view
from chargebus_events.access import ApiKey
from chargebus_events.record import Received
from chargebus_runtime import secrets
from chargebus_runtime.http.checks import CheckedCall
from chargebus_runtime.keys import KeyRing, format_key
from chargebus_testkit.http import http_client
from fastapi import Request
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

AT = datetime(2026, 5, 1, 12, 0, 0, 120, tzinfo=UTC)
SECRET = "5ec4e7" * 7
ROW: dict[str, Any] = {
    "command_id": "0e6f9b0e-6a7c-4b39-a7c1-d8ab6c6cf1a1",
    "station_id": "CS-1",
    "action": "Reset",
    "payload": '{"type": "Soft", "öä": [1, 2.5, null]}',
    "version": "1.6",
    "requester": "http",
    "requested_by": "idoperator",
    "requested_at": AT,
    "timeout_s": 20.0,
    "ttl_s": 0.0,
    "state": "ended",
    "sent_at": AT.replace(microsecond=0),
    "outcome": "answered",
    "ended_at": AT,
    "reason": "",
    "reply": '{"status":"Accepted"}',
    "error_code": "",
    "error_description": "",
    "error_details": None,
}


class Placing:
    """Takes the place of the operations: notes what is placed."""

    def __init__(self):
        self.orders = []

    def check_role(self, role, action, payload):
        pass

    async def place(self, order, wait_s):
        self.orders.append(order)
        return ROW | {"outcome": None if order.action == "Late" else "answered"}


def key_ring() -> KeyRing:
    ring = KeyRing(lambda: AT)
    for role in ("viewer", "operator"):
        record = ApiKey(f"id{role}", role, role, secrets.hash_generated(SECRET), AT).record()
        ring.view.apply(Received(record.topic, 0, 0, record.key, record.value, dict(record.headers)))
    ring.view.ready.set()
    return ring


@dataclass(frozen=True)
class Api:
    """The API, and what was placed through it."""

    placing: Placing
    client: httpx.AsyncClient

    async def answered(self, path: str, **call: Any) -> tuple[Any, ...]:
        """Make a call; return what was answered and what was placed."""
        self.placing.orders.clear()
        answer = await self.client.post(path, **call)
        told = {name: answer.headers.get(name) for name in ("content-type", "location", "www-authenticate")}
        return answer.status_code, answer.json(), told, [replace(order, command_id="") for order in self.placing.orders]


@asynccontextmanager
async def made() -> AsyncIterator[Api]:
    placing = Placing()
    async with http_client({"/v1": router(ApiParts(placing, Rules(), 60.0))}, key_ring(), "/v1") as client:
        yield Api(placing, client)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with made() as api:
        yield api


@pytest.fixture
async def careful_api(monkeypatch) -> AsyncIterator[Api]:
    """Return the API, all of whose calls FastAPI answers."""
    with monkeypatch.context() as patched:
        patched.setattr("chargebus_command.api.directly", lambda _answer: APIRoute)
        async with made() as api:
            yield api


OPERATOR = format_key("idoperator", SECRET)
PLAIN = {"Content-Type": "application/json", "X-API-Key": OPERATOR}
NUMBERS = st.one_of(st.integers(-(10**40), 10**40), st.floats(allow_nan=False), st.booleans(), st.none())
TEXTS = st.text(max_size=6) | st.sampled_from(["Reset", "Late", "Reset\n", "\0", "x" * 60])
JSON = st.recursive(
    NUMBERS | TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5
)
MEMBERS = st.fixed_dictionaries(
    {"action": st.sampled_from(["Reset", "Late"]) | TEXTS},
    optional={
        "payload": st.dictionaries(TEXTS, JSON, max_size=3) | JSON,
        "timeout_s": NUMBERS | st.sampled_from([1, 20.5, 0.5, 601, "5"]),
        "ttl_s": NUMBERS | st.sampled_from([0, 60, -1]),
        "wait": st.booleans() | JSON,
        "strange": JSON,
    },
)
BODIES = MEMBERS.map(lambda members: json.dumps(members).encode()) | st.sampled_from(
    [
        b"",
        b"{",
        b"null",
        b"\xff",
        b'{"action":"Reset","action":"Late"}',
        b'{"action":"Reset","timeout_s":NaN}',
        b'{"action":"Reset","timeout_s":1e999}',
        b'{"action":"Reset","payload":{"a":"\\ud800"}}',
        b'{"action":"Reset","payload":{"a":1,"a":2}}',
    ]
)
CALL: dict[str, Any] = {"path": "/stations/CS-1/commands", "content": b'{"action":"Reset"}', "headers": PLAIN}


async def same(api: Api, careful_api: Api, **call: Any) -> None:
    """Check that a call is answered as FastAPI would."""
    given = CALL | call

    assert await api.answered(**given) == await careful_api.answered(**given)


@settings(
    max_examples=settings.default.max_examples * 3 // 2, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=BODIES)
@example(body=b'{"action":"Reset","payload":{"a":36893488147419103232}}')
async def test_a_body_is_taken_as_fastapi_would(api, careful_api, body):
    await same(api, careful_api, content=body)


@pytest.mark.parametrize("name", ["CS%2F1", "CS%201", "CS%001", "CS%0A", "C" * 255, "C" * 256, "%C3%B6", "%FF"])
async def test_a_name_is_taken_as_fastapi_would(api, careful_api, name):
    await same(api, careful_api, path=f"/stations/{name}/commands")


async def test_a_query_is_refused_as_fastapi_would(api, careful_api):
    await same(api, careful_api, path=CALL["path"] + "?x=1")


@pytest.mark.parametrize(
    "more",
    [
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "application/problem+json"},
        {"Content-Type": "text/plain"},
        {"Content-Type": ""},
        {"X-API-Key": format_key("idviewer", SECRET)},
        {"X-API-Key": "cbk_x_y"},
        {"X-API-Key": ""},
        {"X-API-Key": format_key("idoperator", SECRET).upper()},
        {"X-API-Key": "", "Authorization": f"Bearer {OPERATOR}"},
        {"Idempotency-Key": "one"},
        {"Idempotency-Key": "x" * 256},
        {"Idempotency-Key": "a b"},
        {"Idempotency-Key": ""},
    ],
)
async def test_headers_are_taken_as_fastapi_would(api, careful_api, more):
    await same(api, careful_api, headers=PLAIN | more)


async def test_a_key_that_is_given_twice_is_taken_as_fastapi_would(api, careful_api):
    twice = [*PLAIN.items(), ("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    await same(api, careful_api, headers=twice)


@pytest.mark.parametrize("by_fastapi", [False, True])
async def test_a_plain_call_does_not_go_through_fastapis_checks(api, monkeypatch, by_fastapi):
    looked_at = []
    check = CheckedCall.__call__

    async def look(checked: CheckedCall, request: Request) -> None:
        looked_at.append(request)
        await check(checked, request)

    monkeypatch.setattr(CheckedCall, "__call__", look)
    more = {"Content-Type": "application/json; charset=utf-8"} if by_fastapi else {}
    body = b'{"action":"Late", "payload":{"a": 1}}'
    status, _, told, (order,) = await api.answered("/stations/CS-1/commands", content=body, headers=PLAIN | more)

    assert (status, told["location"]) == (202, f"/v1/commands/{ROW['command_id']}")
    assert (order.station_id, order.payload, order.caller) == ("CS-1", b'{"a":1}', "idoperator")
    assert bool(looked_at) is by_fastapi


@pytest.mark.parametrize("error", [{}, {"error_code": "InternalError", "error_details": '{"a":[1]}'}])
def test_a_command_is_encoded_as_it_is_declared(error):
    row = ROW | error
    shown = msgspec.json.decode(encoded(row))

    assert shown == view(row).model_dump(mode="json")
    assert list(shown) == list(CommandView.model_fields)
    assert (shown["payload"]["öä"], shown["requested_at"]) == ([1, 2.5, None], "2026-05-01T12:00:00.000120Z")
