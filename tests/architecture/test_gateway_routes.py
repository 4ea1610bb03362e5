"""The gateway sends every path of every service to that service."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from chargebus_events.services import underscored
from chargebus_runtime.process import Process
from chargebus_runtime.settings import RuntimeSettings
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

CONF = Path(__file__).parents[2] / "deploy" / "gateway.conf"
ROUTE = re.compile(r"^\s+~(?P<pattern>\^\S+)\s+(?P<host>[a-z-]+):8310;$", re.MULTILINE)


def gateway(path: str) -> str | None:
    """Return the service to which the gateway sends a path."""
    for route in ROUTE.finditer(CONF.read_text()):
        if re.search(route["pattern"], path):
            return underscored(route["host"])
    return None


def paths(service: str) -> list[str]:
    """Return the paths that a service answers."""
    (entry,) = entry_points(group="chargebus.services", name=service)
    app = FastAPI()
    for prefix, router in entry.load()(Process(RuntimeSettings())).routers.items():
        app.include_router(router, prefix=prefix.rstrip("/"))
    routes = [each for each in iter_route_contexts(app.routes) if isinstance(each.original_route, APIRoute)]
    return sorted({str(each.path_format) for each in routes if each.include_in_schema})


SERVICES = sorted(entry.name for entry in entry_points(group="chargebus.services"))


@pytest.mark.parametrize("service", SERVICES)
async def test_each_path_of_a_service_reaches_it(service, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGE_ALLOW_PLAIN_WS", "true")
    monkeypatch.setenv("ACCESS_ADMIN_KEY_FILE", str(tmp_path / "key"))
    answered = paths(service)
    examples = [re.sub(r"\{[^}]*\}", "x-1", path) for path in answered]

    assert answered or service == "edge"
    assert {path: gateway(path) for path in examples} == dict.fromkeys(examples, service)
    assert {path: gateway(f"{path}?limit=1") for path in examples} == dict.fromkeys(examples, service)


def test_a_path_of_nobody_is_sent_nowhere():
    assert gateway("/v1/nothing") is None
    assert gateway("/v1/stationsx") is None


def test_what_the_gateway_refuses_itself_is_a_problem_too():
    handled = dict(re.findall(r"error_page ([0-9 ]+?)(?: =503)? @(\w+);", CONF.read_text()))
    assert set(" ".join(handled).split()) == {"404", "413", "502", "504"}
    for status, place in handled.items():
        answer = re.search(
            rf"location @{place} \{{\s+default_type application/problem\+json;(.*?)\}}'", CONF.read_text(), re.DOTALL
        )
        told = "503" if place == "away" else status
        assert answer is not None
        assert f"return {told} " in answer[1]
        assert f'"status":{told}' in answer[1]
