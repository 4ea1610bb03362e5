"""How long a record may wait for others: a station waits for the answer to its boot, nobody for a sign of life."""

import pytest
from chargebus_device.handlers import FRAMES, patience
from chargebus_events.record import Received
from chargebus_events.topics import PRESENCE


def frame(version: str, action: str) -> Received:
    return Received(FRAMES, 0, 0, "S1", b"{}", {"ocpp_version": version.encode(), "ocpp_action": action.encode()})


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_boot_waits_hardly_at_all_and_a_sign_of_life_longer(version):
    assert patience(frame(version, "BootNotification")) <= 0.05 < patience(frame(version, "Heartbeat")) <= 1


def test_presence_waits_hardly_at_all_for_a_command_may_come_right_after_a_connect():
    assert patience(Received(PRESENCE, 0, 0, "S1", b"{}", {})) <= 0.05
