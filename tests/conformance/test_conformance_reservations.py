"""Functional block H: an EVSE is reserved, used, cancelled and given up, case by case."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import pytest_asyncio
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.times import written

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
ALL = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
YES = {"ReserveNow": {"status": "Accepted"}, "CancelReservation": {"status": "Accepted"}}
DRIVERS = count(1)
EXPIRY = {"1.6": "expiryDate", "2.0.1": "expiryDateTime", "2.1": "expiryDateTime"}
ID = {"1.6": "reservationId", "2.0.1": "id", "2.1": "id"}


@pytest_asyncio.fixture(loop_scope="session")
async def driver(api):
    """A driver whom no other test knows."""
    name = f"RESERVES-{next(DRIVERS)}"
    await api.add_token(name)
    return name


@pytest.fixture
def has(told):
    """Have a station tell of its EVSEs; return once the CSMS knows them."""

    async def tell(station, evse_ids=(1, 2), status="Available"):
        for evse_id in evse_ids:
            await station.call("StatusNotification", status_of(station.version, status, evse_id))

        def known(said):
            statuses = {each["evse_id"]: each["statuses"] for each in said.get("evses", ())}
            return all(statuses.get(evse_id) == [status] for evse_id in evse_ids)

        await told(f"/v1/stations/{station.station_id}/reservations", known, what=f"EVSEs that are {status}")

    return tell


@pytest.fixture
def reserve(api, told):
    """Reserve for some time, by default an hour, where the station is known by then; return the reservation's id."""

    async def make(station, lasts_s=3600, **more):
        station_id = station.station_id if hasattr(station, "station_id") else station.config.station_id
        await told(f"/v1/stations/{station_id}/reservations", lambda said: "evses" in said, what=f"{station_id} known")
        until = (datetime.now(UTC) + timedelta(seconds=lasts_s)).isoformat()
        body = {"station_id": station_id, "expires_at": until} | more
        return (await api.call("POST", "/v1/reservations", body))["reservation_id"]

    return make


@pytest.fixture
def became(told):
    """Wait until a reservation has a state; return it."""

    async def wait(reservation_id, state):
        path = f"/v1/reservations/{reservation_id}"
        return await told(path, lambda said: said.get("state") == state, what=f"reservation {reservation_id} {state}")

    return wait


def status_of(version, status, evse_id):
    return v16.status(status, evse_id) if version == "1.6" else v201.status(status, evse_id, at=now())


def now():
    return written(datetime.now(UTC))


async def starts(station, driver, evse_id=1, **more):
    """Begin a transaction."""
    if station.version == "1.6":
        await station.call("StartTransaction", v16.start(now(), 0, driver, evse_id, **more))
    else:
        place = {"evse": {"id": evse_id, "connectorId": 1}}
        name = f"{station.station_id}-{evse_id}"
        await station.call("TransactionEvent", v201.started(name, 0, now(), 0, driver, **place, **more))


@pytest.mark.case("TC_046", "TC_H_01")
@ALL
async def test_TC_046_TC_H_01_a_reserved_evse_is_used_by_whom_it_is_kept_for(
    raw_station, has, reserve, became, driver, version
):
    async with raw_station(version, YES) as station:
        await has(station)
        made = await reserve(station, evse_id=1, id_token=driver)
        asked = await station.asked("ReserveNow")
        evse = asked["connectorId"] if version == "1.6" else asked["evseId"]
        assert (asked[ID[version]], evse, EXPIRY[version] in asked) == (made, 1, True)
        await became(made, "reserved")
        await has(station, [1], "Reserved")
        await starts(station, driver, reservationId=made)
        used = await became(made, "used")
        assert (used["reason"], bool(used["session_id"])) == ("reservation_id", True)


@pytest.mark.case("TC_047")
async def test_TC_047_a_reservation_ends_with_its_time_though_its_station_says_nothing(
    raw_station, has, reserve, became, driver
):
    async with raw_station("1.6", YES) as station:
        await has(station)
        made = await reserve(station, 10, evse_id=1, id_token=driver)
        await station.asked("ReserveNow")
        assert (await became(made, "expired"))["reason"] == "time"
        await became(await reserve(station, evse_id=1, id_token=driver), "reserved")


@pytest.mark.case("TC_048_1", "TC_048_2", "TC_048_3", "TC_048_4", "TC_H_22")
@ALL
async def test_TC_048_TC_H_22_a_refusal_is_shown_with_the_stations_word(raw_station, reserve, became, driver, version):
    async with raw_station(version) as station:
        for word in ("Faulted", "Occupied", "Unavailable", "Rejected"):
            station.replies["ReserveNow"] = {"status": word}
            made = await reserve(station, evse_id=1, id_token=driver)
            assert (await became(made, "refused"))["reason"] == word


@pytest.mark.case("TC_049", "TC_H_08", "TC_H_14")
@ALL
async def test_TC_049_TC_H_08_TC_H_14_any_evse_is_reserved_as_often_as_there_are(
    raw_station, has, reserve, became, api, driver, version
):
    async with raw_station(version, YES) as station:
        await has(station)
        made = [await reserve(station, id_token=driver) for _ in range(2)]
        asked = await station.asked("ReserveNow")
        assert asked.get("connectorId", asked.get("evseId")) == (0 if version == "1.6" else None)
        for each in made:
            await became(each, "reserved")
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        third = {"station_id": station.station_id, "expires_at": until, "id_token": driver}
        refused = await api.request("POST", "/v1/reservations", json=third)
        assert (refused.status_code, refused.json()["title"]) == (409, "reserved")
        await starts(station, driver, 2, reservationId=made[1])
        await became(made[1], "used")
        await became(made[0], "reserved")


@pytest.mark.case("TC_051", "TC_052", "TC_H_17")
@ALL
async def test_TC_051_TC_052_TC_H_17_a_reservation_is_cancelled_whether_its_station_knows_it_or_not(
    raw_station, reserve, became, api, driver, version
):
    async with raw_station(version, YES) as station:
        for word in ("Accepted", "Rejected"):
            station.replies["CancelReservation"] = {"status": word}
            made = await reserve(station, evse_id=1, id_token=driver)
            await became(made, "reserved")
            await api.call("DELETE", f"/v1/reservations/{made}")
            assert await station.asked("CancelReservation") == {"reservationId": made}
            cancelled = await became(made, "cancelled")
            assert ("no such reservation" in cancelled["detail"]) == (word == "Rejected")


@pytest.mark.case("TC_053", "TC_H_19")
@ALL
async def test_TC_053_TC_H_19_one_of_the_group_uses_it(raw_station, reserve, became, api, driver, version):
    group = f"G-{driver}"
    for each in (f"{driver}-A", f"{driver}-B"):
        await api.add_token(each, group_id=group)
    async with raw_station(version, YES) as station:
        made = await reserve(station, evse_id=1, id_token=f"{driver}-A", group_id=group)
        asked = await station.asked("ReserveNow")
        assert group == (asked["parentIdTag"] if version == "1.6" else asked["groupIdToken"]["idToken"])
        await became(made, "reserved")
        await starts(station, f"{driver}-B")
        assert (await became(made, "used"))["reason"] == "group_id"


@pytest.mark.case("TC_H_07", "TC_H_20")
@V2
async def test_TC_H_07_TC_H_20_a_station_tells_by_itself_that_it_is_over(raw_station, reserve, became, driver, version):
    async with raw_station(version, YES) as station:
        for word, state in (("Expired", "expired"), ("Removed", "removed")):
            made = await reserve(station, evse_id=1, id_token=driver)
            await became(made, "reserved")
            await station.call("ReservationStatusUpdate", {"reservationId": made, "reservationUpdateStatus": word})
            assert (await became(made, state))["reason"] == word


@pytest.mark.case("TC_H_15")
@V2
async def test_TC_H_15_a_connector_of_a_type_is_reserved(raw_station, has, reserve, became, driver, version):
    async with raw_station(version, YES) as station:
        await has(station)
        made = await reserve(station, connector_type="cCCS2", id_token=driver)
        asked = await station.asked("ReserveNow")
        assert (asked["connectorType"], "evseId" in asked) == ("cCCS2", False)
        await became(made, "reserved")
        await starts(station, driver, 2)
        assert (await became(made, "used"))["reason"] == "id_token"


async def test_OCPP_1_6_has_no_words_for_a_type_and_its_station_is_not_asked(raw_station, reserve, became, driver):
    async with raw_station("1.6", YES) as station:
        refused = await became(await reserve(station, connector_type="cCCS2", id_token=driver), "refused")
        assert (refused["reason"], "1.6" in refused["detail"]) == ("undeliverable", True)


@ALL
async def test_a_station_that_boots_is_told_its_reservations_anew(raw_station, reserve, became, told, driver, version):
    async with raw_station(version, YES) as station:
        made = await reserve(station, evse_id=1, id_token=driver)
        await station.asked("ReserveNow")
        await became(made, "reserved")
        await station.disconnect()
        await station.connect()
        await station.boot()
        again = await station.asked("ReserveNow")
        assert again[ID[version]] == made
        await told(f"/v1/reservations/{made}", lambda said: said["set_anew"] == 1, what="set anew")


async def test_a_virtual_station_keeps_its_evse_until_it_is_cancelled(live_station, reserve, api, became, driver):
    async with live_station("2.0.1") as station:
        made = await reserve(station, evse_id=1, id_token=driver)
        await became(made, "reserved")
        assert list(station.state.reservations) == [made]
        await api.call("DELETE", f"/v1/reservations/{made}")
        await became(made, "cancelled")
        assert station.state.reservations == {}
