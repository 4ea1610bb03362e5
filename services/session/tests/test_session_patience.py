"""How long a record may wait for others: what somebody waits for does not wait."""

from datetime import UTC, datetime

from chargebus_events.record import Received
from chargebus_events.topics import frames_topic, outcomes_topic
from chargebus_session.main import consumed
from chargebus_session.metrics import Metrics
from chargebus_session.settings import SessionSettings


def record(topic: str, **headers: str) -> Received:
    return Received(topic, 0, 0, "S1", b"{}", {name: text.encode() for name, text in headers.items()})


def test_frames_and_the_outcomes_of_our_commands_do_not_wait(service):
    patience = consumed(service.commanding, Metrics(), lambda: datetime.now(UTC), SessionSettings()).patience
    assert patience(record(frames_topic("session"), ocpp_version="1.6", ocpp_action="StartTransaction")) == 0
    assert patience(record(outcomes_topic("session"))) == 0
