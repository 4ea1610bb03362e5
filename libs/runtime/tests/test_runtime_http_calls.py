"""What every call is held to, whatever its route: parameters, bodies, methods."""

from typing import Annotated, Any

import pytest
from chargebus_runtime.http import Input, UtcDatetime, WholeNumber, problems
from chargebus_runtime.http.server import HttpServer
from chargebus_testkit.http import Anyone, http_client
from fastapi import APIRouter, FastAPI, Query
from pydantic import Field


class Wanted(Input):
    flag: bool = False
    count: int = 0
    size: WholeNumber = 0
    share: float = 0
    name: str = ""
    at: UtcDatetime | None = None
    anything: dict[str, Any] = Field(default_factory=dict)


def router() -> APIRouter:
    routes = APIRouter()

    @routes.get("/things/{number}")
    async def thing(  # noqa: PLR0913 - one of each kind
        number: int,
        share: float = 0,
        *,
        flag: bool | None = None,
        at: UtcDatetime | None = None,
        name: Annotated[str, Query(alias="called")] = "",
        tags: Annotated[list[str], Query()] = [],  # noqa: B006 - how FastAPI declares it
    ) -> list[object]:
        return [number, share, flag, at, name, tags]

    @routes.post("/things")
    async def make(wanted: Wanted) -> Wanted:
        return wanted

    @routes.delete("/things/{number}", status_code=204)
    async def unmake(number: int) -> None:
        return None

    @routes.post("/maybe")
    async def maybe(wanted: Wanted | None = None) -> Wanted | None:
        return wanted

    return routes


@pytest.fixture
async def client():
    async with http_client({"/v1": router()}, Anyone()) as client:
        yield client


def problem(answer) -> tuple[int, list[str]]:
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    return answer.status_code, [error["field"] for error in answer.json().get("errors", [])]


async def test_parameters_arrive_as_what_they_are(client):
    answer = await client.get("/v1/things/7?share=0.5&flag=true&at=2026-05-01T14:00:00%2B02:00&called=x&tags=a&tags=b")
    assert answer.json() == [7, 0.5, True, "2026-05-01T12:00:00Z", "x", ["a", "b"]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("flg=true", "query.flg"),
        ("name=x", "query.name"),  # its alias is `called`
        ("flag=yes", "query.flag"),
        ("flag=1", "query.flag"),
        ("flag=True", "query.flag"),
        ("share=+1", "query.share"),
        ("share=nan", "query.share"),
        ("share=1_0", "query.share"),
        ("flag=true&flag=false", "query.flag"),
        ("at=2026-05-01", "query.at"),
        ("at=1777636800", "query.at"),
    ],
)
async def test_a_parameter_that_is_unknown_repeated_or_in_other_words_is_refused(client, query, field):
    assert problem(await client.get(f"/v1/things/7?{query}")) == (422, [field])


@pytest.mark.parametrize("number", ["+7", "07", "7.0", "%207", "1_0"])
async def test_a_number_in_a_path_has_one_form(client, number):
    assert problem(await client.get(f"/v1/things/{number}")) == (422, ["path.number"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"flag": "true"}, "body.flag"),
        ({"flag": 1}, "body.flag"),
        ({"count": "5"}, "body.count"),
        ({"count": True}, "body.count"),
        ({"size": 3.5}, "body.size"),
        ({"size": "3"}, "body.size"),
        ({"size": True}, "body.size"),
        ({"share": "0.5"}, "body.share"),
        ({"name": 5}, "body.name"),
        ({"nmae": "x"}, "body.nmae"),
        ({"at": 1777636800}, "body.at"),
        ({"at": "1777636800"}, "body.at"),
        ({"at": "2026-05-01T12:00:00"}, "body.at"),
        ({"at": "0001-01-01T00:00:00+02:00"}, "body.at"),
    ],
)
async def test_json_is_taken_as_it_stands(client, body, field):
    assert problem(await client.post("/v1/things", json=body)) == (422, [field])


async def test_json_as_declared_is_taken(client):
    body = {
        "flag": True,
        "count": 5,
        "size": 3.0,
        "share": 1,
        "name": "x",
        "at": "2026-05-01t12:00:00z",
        "anything": {"a": [None]},
    }
    answer = await client.post("/v1/things", json=body)
    assert answer.json() == {**body, "at": "2026-05-01T12:00:00Z"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"share": NaN}',
        b'{"anything": {"deep": [Infinity]}}',
        b'{"anything": {"deep": [-Infinity]}}',
        b'{"share": 1e999}',
        b'{"name": "\\ud800"}',
        b'{"name": "\xff"}',
        b'{"count": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
    ids=["cut", "nan", "infinity", "minus", "overflow", "surrogate", "latin", "digits", "deep"],
)
async def test_a_body_that_is_no_json_is_refused(client, body):
    answer = await client.post("/v1/things", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer) == (400, [])
    assert answer.json()["title"] == "malformed body"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_declared_as_json_is_refused(client, content_type):
    answer = await client.post("/v1/things", content=b"{}", headers={"Content-Type": content_type})
    assert problem(answer) == (415, [])


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.x+json"])
async def test_json_may_be_declared_in_several_ways(client, content_type):
    answer = await client.post("/v1/things", content=b"{}", headers={"Content-Type": content_type})
    assert answer.status_code == 200


async def test_a_body_that_may_be_left_out_may_be_left_out(client):
    assert (await client.post("/v1/maybe")).json() is None


@pytest.mark.parametrize("path", ["/v1/things/7", "/docs", "/openapi.json", "/health/live"])
async def test_head_is_get_without_the_body(client, path):
    whole, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.headers) == (200, whole.headers)
    assert (head.content, bool(whole.content)) == (b"", True)


async def test_an_error_has_no_body_for_head_either(client):
    head = await client.head("/v1/things/x")
    assert (head.status_code, head.content) == (422, b"")


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/v1/things/7", "DELETE, GET, HEAD, OPTIONS"),
        ("/v1/things", "OPTIONS, POST"),
        ("/health", "GET, HEAD, OPTIONS"),
        ("/docs/swagger-ui.css", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_told_those_that_it_does(client, path, allow):
    refused = await client.put(path)
    assert (*problem(refused), refused.headers["allow"]) == (405, [], allow)
    options = await client.options(path)
    assert (options.status_code, options.headers["allow"], options.content) == (204, allow, b"")


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
@pytest.mark.parametrize("path", ["/", "/v1/nowhere", "/v1/things/", "/redoc"])
async def test_an_unknown_path_is_a_problem(client, method, path):
    assert problem(await client.request(method, path)) == (404, [])


def test_idle_connections_outlive_those_of_gateways_and_clients():
    server = HttpServer(FastAPI(), "127.0.0.1", 0)

    assert server.config.timeout_keep_alive > 60  # nginx' own for its upstreams
