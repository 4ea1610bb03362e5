"""Which version is spoken, and what is told of a station with which none is; the withdrawn OCPP 2.0 above all."""

import msgspec
import pytest
import pytest_asyncio
from chargebus_events.topics import STATION_EVENTS
from chargebus_testkit.log import Log
from chargebus_testkit.raw.station import RawStation
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEVIATED = "chargebus.station.deviated.v1"


@pytest_asyncio.fixture(loop_scope="session")
async def station(system, api, numbers):
    """Return a raw station that is registered, and not connected."""
    station_id = f"OF-2018-{next(numbers)}"
    passwords = await api.register([station_id])
    async with RawStation(system.ocpp_url, station_id, passwords[station_id], "2.0.1") as station:
        yield station


@pytest.mark.case("TC_B_58")
@pytest.mark.parametrize(
    ("offers", "spoken"),
    [
        (("ocpp2.0.1",), "ocpp2.0.1"),
        (("ocpp2.0", "ocpp2.0.1"), "ocpp2.0.1"),
        (("ocpp1.6", "ocpp2.0", "ocpp2.1"), "ocpp2.1"),
        (("ocpp2.0", "ocpp1.6"), "ocpp1.6"),
    ],
)
async def test_TC_B_58_the_newest_version_in_common_is_spoken(station, offers, spoken):
    socket = await station.connect(offers)
    assert socket.connection.subprotocol == spoken


@pytest.mark.case("TC_B_58")
async def test_TC_B_58_a_station_of_ocpp_2_0_alone_is_refused_and_shown_with_what_to_do(station, api, told, system):
    """Spec: OCPP 2.0.1 Part 4, 3.1.2: the handshake is completed without a subprotocol, and the connection closed."""
    async with Log(system.kafka_connection) as log:
        since = await log.ends([STATION_EVENTS])
        socket = await station.connect(("ocpp2.0",))
        assert socket.connection.subprotocol is None
        assert (await station.closed()).code == 1002
        found = await told(f"/v1/stations/{station.station_id}/deviations", lambda found: found["items"])

        async def events():
            read = [each for each in await log.read(STATION_EVENTS, since=since) if each.key == station.station_id]
            return [msgspec.json.decode(each.value) for each in read if each.text("ce_type") == DEVIATED]

        [event] = await eventually(events, bool, what="the event")
    [shown] = found["items"]
    assert (shown["kind"], shown["refused"], shown["version"]) == ("handshake", True, "2.0")
    assert "was withdrawn: update its firmware, or have it offer ocpp1.6, ocpp2.0.1" in shown["detail"]
    assert (event["kind"], event["refused"], event["detail"]) == ("handshake", True, shown["detail"])
