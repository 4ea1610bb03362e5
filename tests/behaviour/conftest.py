"""A bed for each service that consumes, found by its entry point: a new one is tested without a line of its own."""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from uuid import uuid4

import pytest
from chargebus_events.services import RUNNING
from chargebus_events.topics import parked_topic
from chargebus_runtime.consumer import ConsumerSpec
from chargebus_testkit.bed import Bed

CONSUMING = [service.name for service in RUNNING if service.parks]


@pytest.fixture(params=CONSUMING)
def service(request) -> str:
    """Return the name of a service that consumes."""
    return request.param


@pytest.fixture
def bed(service, make_bed) -> Bed:
    """Return the service's bed."""
    (entry,) = entry_points(group="chargebus.services", name=service)
    return make_bed(entry.load())


@pytest.fixture
def parked(service) -> str:
    """Return the topic of what the service cannot handle."""
    return parked_topic(service)


@pytest.fixture
def stations() -> Callable[[int], list[str]]:
    """Give a maker of stations that are this test's own."""
    unique = uuid4().hex[:8]
    return lambda count: [f"CS-{unique}-{number}" for number in range(count)]


@pytest.fixture
def change(bed) -> Callable[[Callable[[ConsumerSpec], ConsumerSpec]], None]:
    """Give what changes how the service under test consumes."""

    def change_to(changed: Callable[[ConsumerSpec], ConsumerSpec]) -> None:
        build = bed.build

        def built(process):
            service = build(process)
            return replace(service, consumer=changed(service.consumer))

        bed.build = built

    return change_to
