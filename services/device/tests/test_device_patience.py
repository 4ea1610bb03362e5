"""How long a record may wait for others: a station waits for the answer to its boot, nobody for a sign of life."""

from datetime import UTC, datetime

import pytest
from chargebus_device.boots.block import Boots
from chargebus_device.boots.domain import Rules
from chargebus_device.connections.handlers import PresenceLog
from chargebus_device.main import CommandSide, asking, consumed
from chargebus_device.metrics import Metrics
from chargebus_device.settings import DeviceSettings
from chargebus_device.statuses.block import Statuses
from chargebus_events.record import Received
from chargebus_events.topics import PRESENCE, frames_topic
from chargebus_runtime.database import Database, DatabaseOptions
from chargebus_runtime.kafka_clock import KafkaClock
from chargebus_runtime.sealing import Sealing
from chargebus_runtime.telemetry import Tracing
from chargebus_testkit.producer import KeepingProducer


@pytest.fixture
def patience(tmp_path):
    """Tell how long a record may wait; nothing is read or written for that."""
    metrics, options = Metrics(), DatabaseOptions("device", "postgresql://nobody", tmp_path)
    database = Database(options, KeepingProducer(), clock, Tracing(enabled=False))
    commands = CommandSide(KafkaClock(clock, lambda: 0.0), Sealing())
    asked = asking(database, commands, metrics, DeviceSettings())
    boots = Boots(Rules("refuse", 300, 60), metrics)
    return consumed(PresenceLog(None), boots, Statuses(metrics), asked, clock).patience


def clock() -> datetime:
    return datetime.now(UTC)


def frame(version: str, action: str) -> Received:
    headers = {"ocpp_version": version.encode(), "ocpp_action": action.encode()}
    return Received(frames_topic("device"), 0, 0, "S1", b"{}", headers)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_boot_waits_hardly_at_all_and_a_sign_of_life_longer(patience, version):
    assert patience(frame(version, "BootNotification")) <= 0.05 < patience(frame(version, "Heartbeat")) <= 1


def test_presence_waits_hardly_at_all_for_a_command_may_come_right_after_a_connect(patience):
    assert patience(Received(PRESENCE, 0, 0, "S1", b"{}", {})) <= 0.05
