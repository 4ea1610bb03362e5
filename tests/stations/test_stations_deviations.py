"""What breaks a schema is accepted as meant, counted and shown, unless its station or a rule about its make differs."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.socket import RefusedError
from chargebus_testkit.raw.times import ago
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXTRA = v16.status(extra="member")
STATUSES = {"1.6": v16.status, "2.0.1": lambda **more: v201.status(at=ago(0), **more)}


@pytest.fixture
def deviations(api):
    """Return what a station's deviations are, once there are some as wanted."""

    async def wait(station, **wanted):
        async def look():
            found = await api.call("GET", f"/v1/stations/{station.station_id}/deviations")
            return [each for each in found["items"] if wanted.items() <= each.items()]

        [found] = await eventually(look, lambda found: len(found) == 1, what=f"a deviation with {wanted}")
        return found

    return wait


@pytest.fixture
def rule(api):
    """Have a deviation rule while a test runs."""

    @asynccontextmanager
    async def have(treatment, **about):
        made = await api.call("POST", "/v1/deviation-rules", {"treatment": treatment, **about})
        yield
        await api.call("DELETE", f"/v1/deviation-rules/{made['rule_id']}")

    return have


async def refusal(station, action, payload):
    """Return the code with which a call is refused, once what was set over HTTP has reached the edge."""
    async with asyncio.timeout(180):
        while True:
            try:
                await station.call(action, payload)
            except RefusedError as refused:
                return refused.code
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("version", STATUSES)
async def test_an_extra_member_is_accepted_and_shown_with_the_make_of_its_station(raw_station, deviations, version):
    async with raw_station(version) as station:
        for _ in range(3):
            assert await station.call("StatusNotification", STATUSES[version](extra="member")) == {}
        await station.disconnect()
        found = await deviations(station, action="StatusNotification", count=3)

    assert (found["kind"], found["path"], found["refused"]) == ("extra_property", "extra", False)
    assert (found["vendor"], found["version"]) == ("Raw", version)


async def test_nothing_is_accepted_of_a_strict_station(raw_station, deviations):
    async with raw_station("1.6", strict=True) as station:
        with pytest.raises(RefusedError) as refused:
            await station.call("StatusNotification", EXTRA)
        found = await deviations(station, action="StatusNotification", refused=True)

    assert refused.value.code == "FormationViolation"
    assert (found["kind"], found["count"]) == ("extra_property", 1)


async def test_a_station_becomes_strict_while_it_is_connected(raw_station, api):
    async with raw_station("1.6") as station:
        assert await station.call("StatusNotification", EXTRA) == {}
        await api.call("PATCH", f"/v1/stations/{station.station_id}", {"strict": True})

        assert await refusal(station, "StatusNotification", EXTRA) == "FormationViolation"


async def test_what_is_refused_of_one_make_is_accepted_of_another(raw_station, rule):
    async with rule("refuse", vendor="Picky", kind="extra_property"), raw_station("1.6") as other:
        async with raw_station("1.6", boot=False) as picky:
            await picky.boot(chargePointVendor="Picky")

            assert await refusal(picky, "StatusNotification", EXTRA) == "FormationViolation"
        assert await other.call("StatusNotification", EXTRA) == {}


async def test_a_rule_goes_by_vendor_model_and_firmware(raw_station, rule):
    def make(model, firmware):
        return {"chargePointVendor": "Fussy", "chargePointModel": model, "firmwareVersion": firmware}

    async with rule("refuse", vendor="Fussy", model="One", firmware_version="1.*", kind="extra_property"):
        for said in (make("One", "2.0"), make("Two", "1.4")):
            async with raw_station("1.6", boot=False) as other, raw_station("1.6", boot=False) as meant:
                await other.boot(**said)
                await meant.boot(**make("One", "1.4"))

                assert await refusal(meant, "StatusNotification", EXTRA) == "FormationViolation"
                assert await other.call("StatusNotification", EXTRA) == {}


async def test_what_is_read_only_by_a_rule_is_read_of_the_make_that_it_names(raw_station, rule):
    misnamed = {"idtag": "ALICE"}
    async with rule("accept", vendor="Wordy", kind="misnamed_property"), raw_station("1.6") as other:
        with pytest.raises(RefusedError):
            await other.call("Authorize", misnamed)
        async with raw_station("1.6", boot=False) as wordy:
            await wordy.boot(chargePointVendor="Wordy")

            async def authorized():
                try:
                    return await wordy.call("Authorize", misnamed)
                except RefusedError:
                    return None  # the edge has not learned the make yet

            answer = await eventually(authorized, bool, what="an answer")

    assert answer["idTagInfo"]["status"] == "Accepted"


async def test_a_boot_with_a_serial_number_that_is_too_long_is_accepted_and_kept_whole(raw_station, api, deviations):
    serial = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    async with raw_station("1.6", boot=False) as station:
        assert (await station.boot(chargePointSerialNumber=serial))["status"] == "Accepted"
        shown = await api.call("GET", f"/v1/stations/{station.station_id}")
        found = await deviations(station, action="BootNotification")

    assert shown["boot"]["serial_number"] == serial
    assert (found["kind"], found["vendor"]) == ("too_long", "Raw")


async def test_a_status_with_an_info_that_is_too_long_counts(raw_station, api):
    info = "overheated, " * 6 + "but well"
    async with raw_station("1.6") as station:
        await station.call("StatusNotification", v16.status("Faulted", errorCode="HighTemperature", info=info))

        async def shown():
            return (await api.call("GET", f"/v1/stations/{station.station_id}"))["evses"]

        [evse] = await eventually(shown, bool, what="an EVSE")

    assert len(info) == 80
    assert (evse["status"], evse["connectors"][0]["info"]) == ("Faulted", info)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize("data", [{"any": ["thing"]}, 42, "text"])
async def test_a_data_transfer_is_answered_whatever_its_data_are(raw_station, version, data):
    async with raw_station(version) as station:
        answer = await station.call("DataTransfer", {"vendorId": "com.example", "data": data})

    assert answer == {"status": "UnknownVendorId"}


async def test_what_nobody_can_read_is_shown_as_refused(raw_station, deviations):
    async with raw_station("1.6") as station:
        with pytest.raises(RefusedError):
            await station.call("BrewCoffee", {})
        found = await deviations(station, refused=True)

    assert (found["kind"], found["action"], found["count"]) == ("NotImplemented", "", 1)
