"""Every body that a service takes is taken as it stands."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from types import NoneType
from typing import Any, get_args

import pytest
from chargebus_runtime.http import Input
from chargebus_runtime.process import Process
from chargebus_runtime.settings import RuntimeSettings
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

SERVICES = sorted(entry.name for entry in entry_points(group="chargebus.services"))


def routes(service: str) -> Iterator[APIRoute]:
    (entry,) = entry_points(group="chargebus.services", name=service)
    app = FastAPI()
    for prefix, router in entry.load()(Process(RuntimeSettings())).routers.items():
        app.include_router(router, prefix=prefix.rstrip("/"))
    return (
        each.original_route for each in iter_route_contexts(app.routes) if isinstance(each.original_route, APIRoute)
    )


def body_models(service: str) -> list[Any]:
    annotations = [route.body_field.field_info.annotation for route in routes(service) if route.body_field]
    return [
        each for annotation in annotations for each in (get_args(annotation) or [annotation]) if each is not NoneType
    ]


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGE_ALLOW_PLAIN_WS", "true")
    monkeypatch.setenv("ACCESS_ADMIN_KEY_FILE", str(tmp_path / "key"))


@pytest.mark.parametrize("service", SERVICES)
async def test_the_model_of_a_body_is_an_input(service):
    assert [model for model in body_models(service) if not issubclass(model, Input)] == []


async def test_there_are_bodies_to_look_at():
    assert {"ApiKeyIn", "TokenIn"} <= {model.__name__ for service in SERVICES for model in body_models(service)}
