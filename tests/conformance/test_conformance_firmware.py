"""Firmware: 1.6 TC_044, TC_080, TC_081, and functional block L, with images that stations really fetch and install."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from chargebus_station.faults import Fault
from chargebus_station.firmware_image import image as image_of
from chargebus_testkit.file_server import served
from chargebus_testkit.raw.station import RawStation
from chargebus_testkit.raw.times import ago
from chargebus_testkit.signing import P256, certificate, signature
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
SIGNED = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
NEW, OLD = "2.0.0", "1.0.0"
LONG = 60_000


class Updates:
    """Images, and updates with them."""

    def __init__(self, api):
        self._api = api

    async def image(self, version=NEW, *, signed=True):
        """Describe an image, send its content, and return its id."""
        content = image_of(version)
        described = {"name": f"image {version}", "version": version, "vendor": "Chargebus"}
        if signed:
            described |= {"signing_certificate": certificate(P256), "signature": signature(P256, content)}
        made = await self._api.call("POST", "/v1/firmware/images", described)
        path = f"/v1/firmware/images/{made['image_id']}/content"
        answer = await self._api.request("PUT", path, content=content)
        assert answer.is_success, answer.text
        return made["image_id"]

    async def begin(self, station, *, signed=True, **more):
        """Update a station with a new image, once it is known with what it booted."""
        station_id = station.station_id if isinstance(station, RawStation) else station.config.station_id

        async def known():
            answer = await self._api.request("GET", f"/v1/firmware/stations/{station_id}")
            return answer.is_success and answer.json()["firmware_version"] == OLD

        await eventually(known, what="what the station boots with is known")
        image_id = await self.image(signed=signed)
        body = {"station_id": station_id, "image_id": image_id, "retries": 0, **more}
        return await self._api.call("POST", "/v1/firmware/updates", body)

    async def once(self, begun, wanted):
        """Wait until an update is as wanted; return it with its history."""
        path = f"/v1/firmware/updates/{begun['update_id']}"
        return await eventually(lambda: self._api.call("GET", path), wanted, what="an update as it is wanted")

    async def outcome(self, begun):
        """Return what came of an update, and why."""
        found = await self.once(begun, ended)
        return found["state"], found["reason"]


@pytest_asyncio.fixture(loop_scope="session")
async def updates(api):
    return Updates(api)


def said(update):
    return [step["what"] for step in update["history"]]


def ended(update):
    return update["ended_at"] is not None


def done(update):
    return ended(update) and "Installed" in said(update)


def came(status):
    return lambda update: status in said(update)


@pytest.mark.case("TC_044_1")
async def test_TC_044_1_firmware_update_download_and_install(virtual_station, updates):
    async with virtual_station("1.6") as station:
        begun = await updates.begin(station, signed=False)
        found = await updates.once(begun, done)
        assert (found["state"], station.state.firmware.version) == ("succeeded", NEW)
        assert {"Downloading", "Downloaded", "Installing", "Installed"} <= set(said(found))


@pytest.mark.case("TC_044_2")
async def test_TC_044_2_firmware_update_download_failed(virtual_station, updates):
    async with virtual_station("1.6") as station:
        station.faults.arm(Fault.FAIL_DOWNLOAD, "UpdateFirmware", LONG)
        begun = await updates.begin(station, signed=False)
        assert await updates.outcome(begun) == ("failed", "download_failed")


@pytest.mark.case("TC_044_3")
async def test_TC_044_3_firmware_update_installation_failed(virtual_station, updates):
    async with virtual_station("1.6") as station:
        station.faults.arm(Fault.FAIL_INSTALLATION, "UpdateFirmware")
        begun = await updates.begin(station, signed=False)
        assert await updates.outcome(begun) == ("failed", "installation_failed")


@pytest.mark.case("TC_080", "TC_L_01")
@SIGNED
async def test_TC_080_TC_L_01_secure_firmware_update(virtual_station, updates, version):
    async with virtual_station(version) as station:
        begun = await updates.begin(station)
        found = await updates.once(begun, done)
        assert (found["state"], station.state.firmware.version) == ("succeeded", NEW)
        assert {"Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting"} <= set(said(found))


@pytest.mark.case("TC_081", "TC_L_06")
@SIGNED
async def test_TC_081_TC_L_06_secure_firmware_update_invalid_signature(virtual_station, updates, version):
    async with virtual_station(version) as station:
        station.faults.arm(Fault.FAIL_SIGNATURE, "UpdateFirmware")
        begun = await updates.begin(station)
        assert await updates.outcome(begun) == ("failed", "invalid_signature")
        assert station.state.firmware.version == OLD


@pytest.mark.case("TC_L_02")
@V2
async def test_TC_L_02_secure_firmware_update_install_scheduled(virtual_station, updates, version):
    async with virtual_station(version) as station:
        later = datetime.now(UTC) + timedelta(minutes=10)
        begun = await updates.begin(station, install_at=later.isoformat())
        found = await updates.once(begun, done)
        assert (found["state"], "InstallScheduled" in said(found)) == ("succeeded", True)


@pytest.mark.case("TC_L_03")
@V2
async def test_TC_L_03_secure_firmware_update_download_scheduled(virtual_station, updates, version):
    async with virtual_station(version) as station:
        later = datetime.now(UTC) + timedelta(minutes=10)
        begun = await updates.begin(station, retrieve_at=later.isoformat())
        found = await updates.once(begun, done)
        assert (found["state"], said(found).index("DownloadScheduled") < said(found).index("Downloading")) == (
            "succeeded",
            True,
        )


@pytest.mark.case("TC_L_04", "TC_L_05")
@V2
@pytest.mark.parametrize(
    "answer", [("RevokedCertificate", "revoked_certificate"), ("InvalidCertificate", "invalid_certificate")]
)
async def test_TC_L_04_TC_L_05_a_certificate_is_refused(raw_station, updates, version, answer):
    word, reason = answer
    async with raw_station(version, {"UpdateFirmware": {"status": word}}) as station:
        await boot(station, OLD, "PowerUp")
        begun = await updates.begin(station)
        assert await updates.outcome(begun) == ("failed", reason)


@pytest.mark.case("TC_L_07", "TC_L_08", "TC_L_09")
@V2
@pytest.mark.parametrize(
    "failure",
    [
        pytest.param((Fault.FAIL_DOWNLOAD, "download_failed"), id="TC_L_07"),
        pytest.param((Fault.FAIL_VERIFICATION, "verification_failed"), id="TC_L_08"),
        pytest.param((Fault.FAIL_INSTALLATION, "installation_failed"), id="TC_L_09"),
    ],
)
async def test_TC_L_07_TC_L_08_TC_L_09_an_update_fails(virtual_station, updates, version, failure):
    async with virtual_station(version) as station:
        fault, reason = failure
        station.faults.arm(fault, "UpdateFirmware", LONG)
        begun = await updates.begin(station)
        assert await updates.outcome(begun) == ("failed", reason)
        assert station.state.firmware.version == OLD


async def boot(station, version, reason):
    said_of_itself = {"model": "Virtual 22", "vendorName": "Chargebus", "firmwareVersion": version}
    await station.call("BootNotification", {"reason": reason, "chargingStation": said_of_itself})


async def status(station, word, request_id):
    await station.call("FirmwareStatusNotification", {"status": word, "requestId": request_id})


@pytest.mark.case("TC_L_10")
@V2
async def test_TC_L_10_secure_firmware_update_accepted_canceled(raw_station, updates, ask, version):
    async with raw_station(version, {"UpdateFirmware": {"status": "Accepted"}}) as station:
        await boot(station, OLD, "PowerUp")
        begun = await updates.begin(station)
        asked = await station.asked("UpdateFirmware")
        await status(station, "Downloading", asked["requestId"])
        station.replies["UpdateFirmware"] = {"status": "AcceptedCanceled"}
        firmware = {"location": "https://files.example/other", "retrieveDateTime": ago(0)}
        answer = await ask(station, "UpdateFirmware", {"requestId": 1, "firmware": firmware})
        assert answer["reply"] == {"status": "AcceptedCanceled"}
        await station.call("FirmwareStatusNotification", {"status": "DownloadFailed", "requestId": asked["requestId"]})
        assert await updates.outcome(begun) == ("failed", "download_failed")


@pytest.mark.case("TC_L_11")
@V2
async def test_TC_L_11_secure_firmware_update_unable_to_cancel(raw_station, updates, api, version):
    async with raw_station(version, {"UpdateFirmware": {"status": "Accepted"}}) as station:
        await boot(station, OLD, "PowerUp")
        begun = await updates.begin(station)
        asked = await station.asked("UpdateFirmware")
        await status(station, "Installing", asked["requestId"])
        await updates.once(begun, came("Installing"))
        another = {"station_id": station.station_id, "image_id": await updates.image("3.0.0")}
        answer = await api.request("POST", "/v1/firmware/updates", json=another)
        assert (answer.status_code, answer.json()["title"]) == (409, "the station is busy")
        await status(station, "Installed", asked["requestId"])
        await boot(station, NEW, "FirmwareUpdate")
        assert (await updates.once(begun, ended))["state"] == "succeeded"


@pytest.mark.case("TC_L_13")
@V2
async def test_TC_L_13_an_update_waits_for_the_end_of_a_transaction(virtual_station, updates, charge, version):
    async with virtual_station(version) as station:
        await charge(station)
        begun = await updates.begin(station)
        await updates.once(begun, came("InstallScheduled"))
        assert station.state.firmware.version == OLD
        station.unplug(1)
        assert (await updates.once(begun, ended))["state"] == "succeeded"


# Publishing through a local controller


@pytest.fixture
def files():
    with served() as files:
        files.content["/image"] = image_of(NEW)
        yield files


class Publications:
    """What local controllers publish."""

    def __init__(self, api, files):
        self._api = api
        self._files = files

    async def begin(self, station, *, good=True, path="/image"):
        """Have a controller publish the file that is served, under its checksum or another."""
        checksum = hashlib.md5(image_of(NEW if good else OLD), usedforsecurity=False).hexdigest()
        station_id = station.station_id if isinstance(station, RawStation) else station.config.station_id
        await eventually(lambda: self._knows(station_id), what="the controller is known")
        body = {"station_id": station_id, "url": self._files.url(path), "checksum": checksum, "retries": 0}
        return await self._api.call("POST", "/v1/firmware/publications", body)

    async def _knows(self, station_id):
        return (await self._api.request("GET", f"/v1/firmware/stations/{station_id}")).is_success

    async def once(self, begun, state):
        """Wait until a publication has a state; return it."""
        path = f"/v1/firmware/publications/{begun['publication_id']}"
        return await eventually(
            lambda: self._api.call("GET", path), lambda found: found["state"] == state, what=f"it is {state}"
        )

    async def unpublish(self, begun):
        """Have it taken back."""
        await self._api.call("POST", f"/v1/firmware/publications/{begun['publication_id']}/unpublish")


@pytest_asyncio.fixture(loop_scope="session")
async def publications(api, files):
    return Publications(api, files)


@pytest.mark.case("TC_L_17", "TC_L_21")
@V2
async def test_TC_L_17_TC_L_21_firmware_is_published_and_taken_back(virtual_station, publications, version):
    async with virtual_station(version) as station:
        begun = await publications.begin(station)
        published = await publications.once(begun, "published")
        assert published["locations"]
        assert list(station.state.published) == [published["checksum"]]
        await publications.unpublish(begun)
        await publications.once(begun, "unpublished")
        assert station.state.published == {}


@pytest.mark.case("TC_L_19")
@V2
async def test_TC_L_19_publish_firmware_invalid_checksum(virtual_station, publications, version):
    async with virtual_station(version) as station:
        failed = await publications.once(await publications.begin(station, good=False), "failed")
        assert failed["reason"] == "invalid_checksum"


@pytest.mark.case("TC_L_24")
@V2
async def test_TC_L_24_publish_firmware_download_failed(virtual_station, publications, version):
    async with virtual_station(version) as station:
        failed = await publications.once(await publications.begin(station, path="/nothing"), "failed")
        assert failed["reason"] == "download_failed"


async def publishes(station, begun, word, **more):
    payload = {"status": word, "requestId": begun["request_id"], **more}
    await station.call("PublishFirmwareStatusNotification", payload)


@pytest.mark.case("TC_L_20")
@V2
async def test_TC_L_20_publish_firmware_publish_failed(raw_station, publications, version):
    async with raw_station(version, {"PublishFirmware": {"status": "Accepted"}}) as station:
        begun = await publications.begin(station)
        await station.asked("PublishFirmware")
        for word in ("Downloading", "Downloaded", "ChecksumVerified", "PublishFailed"):
            await publishes(station, begun, word)
        assert (await publications.once(begun, "failed"))["reason"] == "publish_failed"


@pytest.mark.case("TC_L_22", "TC_L_23")
@V2
@pytest.mark.parametrize(
    "answer", [pytest.param("NoFirmware", id="TC_L_22"), pytest.param("DownloadOngoing", id="TC_L_23")]
)
async def test_TC_L_22_TC_L_23_what_is_not_there_or_being_fetched(raw_station, publications, version, answer):
    replies = {"PublishFirmware": {"status": "Accepted"}, "UnpublishFirmware": {"status": answer}}
    async with raw_station(version, replies) as station:
        begun = await publications.begin(station)
        await station.asked("PublishFirmware")
        await publishes(station, begun, "Published", location=["http://controller.example/image"])
        await publications.once(begun, "published")
        await publications.unpublish(begun)
        await station.asked("UnpublishFirmware")
        await publications.once(begun, "unpublished" if answer == "NoFirmware" else "published")
