"""How long a record may wait for others: commands and their ends do not wait, news of stations and edges hardly."""

import pytest
from chargebus_command.handlers import patience
from chargebus_events.record import Received
from chargebus_events.topics import COMMANDS, DELIVERIES, PRESENCE, REGISTRY


@pytest.mark.parametrize(("topic", "longest_s"), [(COMMANDS, 0), (DELIVERIES, 0), (REGISTRY, 0), (PRESENCE, 0.05)])
def test_what_somebody_waits_for_does_not_wait(topic, longest_s):
    assert patience(Received(topic, 0, 0, "S1", b"{}", {})) <= longest_s
