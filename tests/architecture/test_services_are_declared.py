"""What a service is agrees with its one declaration: its folder, its entry point, what it consumes and answers."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest
from chargebus_events.services import RUNNING, DeclaredService
from chargebus_events.topics import frames_topic
from chargebus_runtime.process import Process
from chargebus_runtime.settings import RuntimeSettings

ROOT = Path(__file__).parents[2]
BY_NAME = pytest.mark.parametrize("service", RUNNING, ids=lambda service: service.name)


def built(declared: DeclaredService):
    (entry,) = entry_points(group="chargebus.services", name=declared.name)
    return entry.load()(Process(RuntimeSettings()))


@pytest.fixture(autouse=True)
def container_settings(monkeypatch, tmp_path):
    for service in RUNNING:
        for setting in service.settings:
            monkeypatch.setenv(setting.name, setting.value)
    monkeypatch.setenv("ACCESS_ADMIN_KEY_FILE", str(tmp_path / "key"))


def test_every_service_is_declared_and_every_declared_one_is_there():
    declared = {service.name for service in RUNNING}

    assert {path.parent.name for path in ROOT.glob("services/*/pyproject.toml")} == declared
    assert {entry.name for entry in entry_points(group="chargebus.services")} == declared


@BY_NAME
async def test_a_service_has_the_name_the_database_and_the_consumer_that_are_declared(service):
    there = built(service)

    assert there.name == service.name
    assert (there.database.name if there.database else None) == (service.package if service.database else None)
    assert (ROOT / "services" / service.name / "migrations" / "env.py").exists() == service.database
    assert (there.consumer is not None) == service.parks


@BY_NAME
async def test_a_service_reads_the_frames_that_are_declared_as_its_own_and_those_it_listens_to(service):
    consumer = built(service).consumer
    read = {topic for topic in (consumer.topics if consumer else ()) if topic.startswith("ocpp.frames.")}
    own = {frames_topic(service.name)} if service.frames else set()

    assert read == own | {frames_topic(other) for other in service.listens_to}


@BY_NAME
def test_the_settings_of_a_service_begin_with_its_name(service):
    assert all(setting.name.startswith(f"{service.name.upper()}_") for setting in service.settings)
