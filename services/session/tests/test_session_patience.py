"""How long a record may wait for others: what somebody waits for does not wait."""

from chargebus_events.record import Received
from chargebus_events.topics import PRESENCE
from chargebus_session.handlers import FRAMES, OUTCOMES, patience


def record(topic: str, **headers: str) -> Received:
    return Received(topic, 0, 0, "S1", b"{}", {name: text.encode() for name, text in headers.items()})


def test_frames_and_the_outcomes_of_our_commands_do_not_wait():
    assert patience(record(FRAMES, ocpp_version="1.6", ocpp_action="StartTransaction")) == 0
    assert patience(record(OUTCOMES)) == 0


def test_presence_waits_hardly_at_all():
    assert patience(record(PRESENCE)) <= 0.05
