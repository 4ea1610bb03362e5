"""The declared services: one name in two forms, and one owner for each path."""

import pytest
from chargebus_events.services import RUNNING, SERVICES, dashed, routes, serving, underscored
from chargebus_events.topics import TOPICS, frames_topic, parked_topic


def test_a_name_of_two_words_has_two_forms_and_each_is_made_of_the_other():
    assert dashed("smart_charging") == dashed("smart-charging") == "smart-charging"
    assert underscored("smart-charging") == underscored("smart_charging") == "smart_charging"


def test_every_name_is_declared_once_in_the_form_of_python():
    names = [service.name for service in SERVICES]

    assert len(names) == len(set(names))
    assert all(name.isidentifier() and name == name.lower() for name in names)


def test_topics_have_the_other_form():
    assert frames_topic("smart_charging") == "ocpp.frames.smart-charging"
    assert parked_topic("smart_charging") == "smart-charging.parked"
    assert not any("_" in name for name in TOPICS)


def test_a_service_that_is_to_come_has_its_frames_kept_and_nothing_else():
    planned = [service for service in SERVICES if service.planned]

    assert {frames_topic(service.name) for service in planned if service.frames} <= TOPICS.keys()
    assert not any(parked_topic(service.name) in TOPICS for service in planned)


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/v1/stations", "device"),
        ("/v1/stations/CS-1", "device"),
        ("/v1/stations/CS-1?limit=1", "device"),
        ("/v1/stations/CS-1/commands", "command"),
        ("/v1/stations/commands", "device"),
        ("/v1/stations/CS-1/evses/1/start", "session"),
        ("/v1/sessions/x", "session"),
        ("/v1/sessions/x/meter-values?limit=1", "metering"),
    ],
)
def test_the_longest_path_that_fits_says_who_answers(path, service):
    assert serving(path).name == service


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/v1/stationsx", "/openapi.json"])
def test_a_path_of_nobody_is_answered_by_nobody(path):
    assert serving(path) is None


def test_no_path_has_two_owners():
    shapes = [path for path, _ in routes()]

    assert len(shapes) == len(set(shapes))


def test_who_listens_to_frames_is_a_reader_of_their_topic():
    listening = [service.host for service in RUNNING if "session" in service.listens_to]

    assert "metering" in listening
    assert TOPICS[frames_topic("session")].readers == ("session", *listening)
