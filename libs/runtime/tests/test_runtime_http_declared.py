"""OpenAPI says what is answered, and its page needs nothing from elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urljoin

import httpx
import pytest
from chargebus_runtime.http import Caller, HttpParts, Input, Problem, Role, build_app, problems, raises, require
from chargebus_runtime.telemetry import Tracing
from chargebus_testkit.http import http_client
from fastapi import APIRouter, Depends, Request

PROBLEM = "#/components/schemas/ProblemDocument"


class Wanted(Input):
    name: str


def router() -> APIRouter:
    routes = APIRouter()

    @routes.get("/open")
    async def anybody() -> None:
        return None

    @routes.get("/read/{name}", dependencies=[Depends(require(Role.VIEWER))], responses=raises(404))
    async def read(name: str) -> None:
        raise Problem(404, "no such thing", name)

    @routes.post("/write", status_code=201, responses=raises(409))
    async def write(wanted: Wanted, caller: Annotated[Caller, Depends(require(Role.OPERATOR))]) -> str:
        return caller.name + wanted.name

    return routes


@dataclass
class Knows:
    """An authenticator that knows the bearer of one word."""

    word: str
    schemes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    challenge: str = ""

    def __post_init__(self) -> None:
        self.schemes = {self.word: {"type": "http", "scheme": self.word}}
        self.challenge = self.word

    async def identify(self, request: Request) -> Caller | None:
        presented = request.headers.get("Authorization", "")
        return Caller(self.word, self.word, Role.ADMIN) if presented == self.word else None


@pytest.fixture
async def client():
    async def nothing() -> dict[str, list[str]]:
        return {}

    authenticators = [Knows("key"), Knows("cookie")]
    app = build_app(HttpParts("test", [{"/v1": router()}], authenticators, Tracing(enabled=False), nothing, nothing))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
async def document(client):
    return (await client.get("/openapi.json")).json()


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", "/v1/open", "200 422 503"),
        ("get", "/v1/read/{name}", "200 401 404 422 503"),
        ("post", "/v1/write", "201 400 401 403 409 413 415 422 503"),
        ("get", "/health/live", "200"),
        ("get", "/health/ready", "200 503"),
    ],
)
async def test_each_route_declares_what_it_can_answer(document, method, path, statuses):
    assert list(document["paths"][path][method]["responses"]) == statuses.split()


async def test_problems_are_declared_with_their_schema_and_headers(document):
    responses = document["paths"]["/v1/write"]["post"]["responses"]
    errors = {status: each for status, each in responses.items() if status >= "400"}
    assert all(each["content"] == {problems.MEDIA_TYPE: {"schema": {"$ref": PROBLEM}}} for each in errors.values())
    assert {status: list(each["headers"]) for status, each in errors.items() if "headers" in each} == {
        "401": ["WWW-Authenticate"],
        "503": ["Retry-After"],
    }


async def test_the_schema_of_a_problem_is_ours(document):
    schemas = document["components"]["schemas"]
    assert schemas["ProblemDocument"]["required"] == ["type", "title", "status"]
    assert set(schemas["FieldError"]["properties"]) == {"field", "error"}
    assert not {"HTTPValidationError", "ValidationError"} & set(schemas)


async def test_any_authenticator_opens_a_route(client, document):
    body = {"name": "!"}
    for word in ("key", "cookie"):
        answer = await client.post("/v1/write", json=body, headers={"Authorization": word})
        assert (answer.status_code, answer.json()) == (201, f"{word}!")
    assert document["paths"]["/v1/write"]["post"]["security"] == [{"key": []}, {"cookie": []}]
    assert set(document["components"]["securitySchemes"]) == {"key", "cookie"}
    assert "security" not in document["paths"]["/v1/open"]["get"]


async def test_who_is_known_to_no_authenticator_is_asked_for_all_they_take(client):
    answer = await client.get("/v1/read/x", headers={"Authorization": "other"})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "key, cookie")


async def test_the_page_of_openapi_takes_nothing_from_elsewhere(client):
    page = await client.get("/docs")
    named = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']*)""", page.text)
    files = [(await client.get(urljoin("http://test/docs", name))).status_code for name in named]

    assert (len(named), set(files)) == (4, {200})
    assert "//" not in re.sub(r"<!--.*?-->", "", page.text)
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")


async def test_routes_may_follow_one_another_in_one_list(document):
    """Two routers of one prefix are one API."""

    async with http_client({"/v1": router(), "/": router()}, Knows("key")) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/v1/open", "/open"} <= set(paths)
