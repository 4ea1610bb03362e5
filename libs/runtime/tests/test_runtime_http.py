"""Who is let in over HTTP, and how errors look."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Annotated

import asyncpg
import httpx
import pytest
from chargebus_events.access import ApiKey, revoked
from chargebus_events.record import Received
from chargebus_runtime import secrets
from chargebus_runtime.http import (
    Caller,
    HttpParts,
    Listing,
    PageQuery,
    Problem,
    Role,
    build_app,
    layers,
    problems,
    require,
)
from chargebus_runtime.http.layers import MAX_BODY_BYTES
from chargebus_runtime.keys import KeyRing, format_key
from chargebus_runtime.telemetry import Tracing
from fastapi import APIRouter, Depends

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SECRET = "5ec4e7" * 7
NUMBERS = Listing("numbers", int)


def apply(ring: KeyRing, record) -> None:
    ring.view.take(Received(record.topic, 0, 0, record.key, record.value, dict(record.headers)))


def key(role: str, **more) -> ApiKey:
    return ApiKey(f"id{role}", role, role, secrets.hash_generated(SECRET), NOW, **more)


def router() -> APIRouter:
    routes = APIRouter()

    @routes.get("/who")
    async def who(caller: Annotated[Caller, Depends(require(Role.OPERATOR))]) -> str:
        return caller.name

    @routes.get("/broken")
    async def broken() -> None:
        raise Problem(409, "already so", "It is as you wish.")

    @routes.get("/crash")
    async def crash() -> None:
        raise RuntimeError("secret details")

    @routes.get("/in-the-way")
    async def in_the_way() -> None:
        raise asyncpg.DeadlockDetectedError("deadlock detected")

    @routes.get("/away")
    async def away() -> None:
        raise ConnectionRefusedError

    @routes.post("/echo")
    async def echo(body: dict[str, str]) -> dict[str, str]:
        return body

    @routes.get("/named/{name}")
    async def named(name: str, text: str = "") -> str:
        return name + text

    @routes.get("/numbers")
    async def numbers(query: Annotated[PageQuery, Depends()]) -> object:
        start = (NUMBERS.after(query) or 0) + 1
        return NUMBERS.page(range(start, 8)[: query.limit + 1], query.limit, lambda n: n)

    return routes


def root() -> APIRouter:
    routes = APIRouter()

    @routes.get("/partners")
    async def partners() -> str:
        return "welcome"

    return routes


@pytest.fixture
def ring() -> KeyRing:
    ring = KeyRing(lambda: NOW)
    for role in ("viewer", "operator", "admin"):
        apply(ring, key(role).record())
    ring.view.ready.set()
    return ring


@pytest.fixture
async def client(ring):
    async def nothing() -> dict[str, list[str]]:
        return {}

    app = build_app(
        HttpParts("test", [{"/v1": router(), "/": root()}], [ring], Tracing(enabled=False), nothing, nothing)
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def header(role: str, secret: str = SECRET) -> dict[str, str]:
    return {"X-API-Key": format_key(f"id{role}", secret)}


@pytest.mark.parametrize("role", ["operator", "admin"])
async def test_a_key_with_enough_of_a_role_is_let_in(client, role):
    assert (await client.get("/v1/who", headers=header(role))).json() == role


async def test_a_router_is_served_under_its_prefix(client):
    assert (await client.get("/partners")).json() == "welcome"
    assert (await client.get("/v1/partners")).status_code == 404


async def test_a_bearer_token_serves_as_well(client):
    token = format_key("idadmin", SECRET)
    assert (await client.get("/v1/who", headers={"Authorization": f"Bearer {token}"})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-API-Key": "nonsense"}, header("nobody"), header("admin", "wrong"), {"X-API-Key": "cbk__"}],
)
async def test_without_a_valid_key_nobody_is_let_in(client, headers):
    answer = await client.get("/v1/who", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_role_that_is_too_small_is_told_so(client):
    answer = await client.get("/v1/who", headers=header("viewer"))
    assert (answer.status_code, answer.json()["detail"]) == (403, "This call needs the role operator.")


async def test_a_revoked_key_is_refused_at_once(client, ring):
    apply(ring, revoked("idadmin"))
    assert (await client.get("/v1/who", headers=header("admin"))).status_code == 401


async def test_a_key_that_was_made_just_now_is_let_in(client, ring, monkeypatch):
    apply(ring, revoked("idadmin"))

    async def catch_up() -> bool:
        apply(ring, key("admin").record())
        return True

    monkeypatch.setattr(ring.view, "catch_up", catch_up)
    assert (await client.get("/v1/who", headers=header("admin"))).status_code == 200


async def test_where_it_is_not_known_whether_all_keys_were_read_an_unknown_one_is_refused(client, ring, monkeypatch):
    async def catch_up() -> bool:
        return False

    monkeypatch.setattr(ring.view, "catch_up", catch_up)
    assert (await client.get("/v1/who", headers=header("nobody"))).status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        b"{",
        b'{"key_id":"idadmin","name":"n","role":"owner","secret_hash":"h","created_at":"2026-05-01T00:00:00Z"}',
        b'{"key_id":"idadmin","name":"n","role":"admin","secret_hash":{"of":"later"},"created_at":"2026-05-01T00:00:00Z"}',
    ],
    ids=["broken", "an unknown role", "a field of another shape"],
)
async def test_a_key_whose_record_cannot_be_read_lets_nobody_in_and_that_is_told(client, ring, value):
    ring.view.take(Received("access.keys", 0, 9, "idadmin", value, {}))
    assert (await client.get("/v1/who", headers=header("admin"))).status_code == 401
    assert (await client.get("/v1/who", headers=header("operator"))).status_code == 200
    assert "'idadmin'" in ring.view.trouble()
    apply(ring, key("admin").record())
    assert (await client.get("/v1/who", headers=header("admin"))).status_code == 200
    assert ring.view.trouble() is None


async def test_an_expired_key_is_refused(client, ring):
    apply(ring, key("admin", expires_at=NOW - timedelta(seconds=1)).record())
    assert (await client.get("/v1/who", headers=header("admin"))).status_code == 401


async def test_nobody_is_let_in_before_the_keys_are_known(client, ring):
    ring.view.ready.clear()
    answer = await client.get("/v1/who", headers=header("admin"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


async def test_a_problem_says_what_and_what_to_do(client):
    answer = await client.get("/v1/broken")
    expected = {"type": "about:blank", "title": "already so", "status": 409, "detail": "It is as you wish."}
    assert answer.json() == expected


async def test_our_own_fault_shows_no_details(client):
    answer = await client.get("/v1/crash")
    assert answer.status_code == 500
    assert "secret details" not in answer.text


async def test_two_calls_in_each_others_way_are_no_fault_of_the_server(client):
    answer = await client.get("/v1/in-the-way")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "at this moment" in answer.json()["detail"]


async def test_a_server_that_is_away_is_no_fault_of_the_call(client):
    answer = await client.get("/v1/away")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["content-type"] == problems.MEDIA_TYPE


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(client):
    taken = []

    async def body():
        for _ in range(100):
            taken.append(MAX_BODY_BYTES // 10)
            yield b" " * taken[-1]

    answer = await client.post("/v1/echo", content=body())
    assert (answer.status_code, answer.headers["content-type"]) == (413, problems.MEDIA_TYPE)
    assert sum(taken) < 2 * MAX_BODY_BYTES


async def test_a_body_that_is_announced_too_large_is_not_read_at_all(client):
    answer = await client.post("/v1/echo", content=b" " * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.headers["content-type"]) == (413, problems.MEDIA_TYPE)


@pytest.mark.parametrize("path", ["/v1/named/a%00b", "/v1/named/a?text=%00"])
async def test_a_nul_in_the_address_is_refused(client, path):
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["title"]) == (422, "invalid request")


@pytest.mark.parametrize(("path", "status"), [("/v1/numbers", 200), ("/v1/broken", 409), ("/v1/crash", 500)])
async def test_every_call_is_measured(client, monkeypatch, path, status):
    seen = []
    monkeypatch.setattr(
        layers.metrics(), "http_duration", SimpleNamespace(record=lambda _s, labels: seen.append(labels))
    )
    await client.get(path)
    assert seen == [{"route": path.removeprefix("/v1"), "method": "GET", "status": status}]


async def test_bad_parameters_name_the_field(client):
    answer = await client.get("/v1/numbers?limit=0")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "query.limit"


async def test_pages_cover_a_list_once(client):
    seen, cursor = [], None
    while True:
        answer = (await client.get("/v1/numbers", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        seen += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
    assert seen == list(range(1, 8))


async def test_an_unknown_path_is_a_problem_too(client):
    answer = await client.get("/v1/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
