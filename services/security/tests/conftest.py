"""What other services say of stations, as it stands on Kafka."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

import pkcs11
import pytest
from chargebus_events.public import STATION_BOOTED, STATION_CONNECTION, StationBooted, StationConnection, event
from chargebus_events.record import Record
from chargebus_testkit.softhsm import SoftHsm, SoftHsmMissingError
from chargebus_testkit.softhsm import soft_hsm as make_soft_hsm
from chargebus_testkit.untested import Untested


@pytest.fixture
def station_id() -> str:
    return f"CS-{uuid4().hex[:8]}"


@pytest.fixture
def booted() -> Callable[..., Record]:
    """Return what makes the event of a boot with a serial number."""
    numbers = count(1)

    def make(station_id: str, serial_number: str = "1", ocpp_version: str = "1.6") -> Record:
        now = datetime.now(UTC)
        body = StationBooted(station_id, now, "accepted", ocpp_version, "Acme", "One", serial_number, "1.0")
        return event(STATION_BOOTED, f"{station_id}/{next(numbers)}", "/device", now, body)

    return make


@pytest.fixture
def connected() -> Callable[..., Record]:
    """Return what makes the event of a connection."""

    def make(
        station_id: str, epoch: int, ocpp_version: str = "1.6", *, online: bool = True, profile: int | None = None
    ) -> Record:
        now = datetime.now(UTC)
        body = StationConnection(station_id, now, online, epoch, ocpp_version, profile)
        return event(STATION_CONNECTION, f"{station_id}/{epoch}/{online}", "/device", now, body)

    return make


@pytest.fixture
def soft_hsm(tmp_path, monkeypatch) -> SoftHsm:
    """Return a hardware security module in software that has no token."""
    try:
        made = make_soft_hsm(tmp_path / "hsm")
    except SoftHsmMissingError as error:
        pytest.skip(f"{Untested.REASON} keys in a hardware security module, for SoftHSM cannot be had: {error}")
    monkeypatch.setenv("SOFTHSM2_CONF", str(made.configuration))
    pkcs11.lib(str(made.module)).reinitialize()
    return made
