"""Firmware and logs: real files over HTTP, every step told, and what can go wrong at each."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any, NamedTuple

import pytest
from chargebus_ocppj.timestamps import format_timestamp
from chargebus_station.faults import Fault
from chargebus_station.firmware_image import image
from chargebus_testkit.file_server import Files, served
from chargebus_testkit.signing import P256, certificate, signature

NOW = datetime.now(UTC)
PAST, EARLY = format_timestamp(NOW - timedelta(days=30)), format_timestamp(NOW - timedelta(days=7))


@pytest.fixture
def files() -> Iterator[Files]:
    with served() as files:
        yield files


def signed(content: bytes) -> dict[str, str]:
    """Return a certificate, and the signature of what it signs."""
    return {"signingCertificate": certificate(P256), "signature": signature(P256, content)}


def told(csms: Any, action: str) -> list[str]:
    return [payload["status"] for payload in csms.seen(action)]


def versions_booted(csms: Any) -> list[str]:
    boots = csms.seen("BootNotification")
    return [boot.get("firmwareVersion") or boot["chargingStation"]["firmwareVersion"] for boot in boots]


async def test_a_16_station_loads_installs_and_boots_with_the_new_version(csms, start, files):
    files.content["/image"] = image("2.0.0")
    async with start("1.6"):
        await csms.call("UpdateFirmware", {"location": files.url("/image"), "retrieveDate": EARLY})
        await csms.until(lambda: "Installed" in told(csms, "FirmwareStatusNotification"))

    assert told(csms, "FirmwareStatusNotification") == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert versions_booted(csms) == ["1.0.0", "2.0.0"]
    assert all("requestId" not in payload for payload in csms.seen("FirmwareStatusNotification"))


class Asked(NamedTuple):
    """What a version has for it: the action that asks, the one that tells, how a log is sent."""

    version: str
    action: str
    tells: str
    method: str = ""


UPDATES = [
    Asked("1.6", "SignedUpdateFirmware", "SignedFirmwareStatusNotification"),
    Asked("2.0.1", "UpdateFirmware", "FirmwareStatusNotification"),
    Asked("2.1", "UpdateFirmware", "FirmwareStatusNotification"),
]


def update(files: Files, content: bytes, **more: Any) -> dict[str, Any]:
    files.content["/image"] = content
    firmware = {"location": files.url("/image"), "retrieveDateTime": EARLY, **signed(content)}
    return {"requestId": 7, "firmware": firmware, **more}


@pytest.mark.parametrize("asked", UPDATES)
async def test_a_signed_update_is_verified_and_every_step_is_told_with_its_number(csms, start, files, asked):
    async with start(asked.version):
        answer = await csms.call(asked.action, update(files, image("2.0.0")))
        await csms.until(lambda: "Installed" in told(csms, asked.tells))

    assert answer == {"status": "Accepted"}
    assert told(csms, asked.tells) == [
        *("Downloading", "Downloaded", "SignatureVerified"),
        *("Installing", "InstallRebooting", "Installed"),
    ]
    assert {payload["requestId"] for payload in csms.seen(asked.tells)} == {7}
    assert versions_booted(csms)[-1] == "2.0.0"


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        (Fault.FAIL_DOWNLOAD, "DownloadFailed"),
        (Fault.FAIL_SIGNATURE, "InvalidSignature"),
        (Fault.FAIL_VERIFICATION, "InstallVerificationFailed"),
        (Fault.FAIL_INSTALLATION, "InstallationFailed"),
        (Fault.KEEP_VERSION, "Installed"),
    ],
)
async def test_an_update_can_fail_at_each_step(csms, start, files, fault, last):
    async with start("2.0.1") as station:
        station.faults.arm(fault, "UpdateFirmware")
        await csms.call("UpdateFirmware", update(files, image("2.0.0")))
        await csms.until(lambda: last in told(csms, "FirmwareStatusNotification"))

        assert station.state.firmware.version == "1.0.0"
    assert versions_booted(csms)[-1] == "1.0.0"


async def test_a_new_version_may_come_without_a_word(csms, start, files):
    async with start("2.0.1") as station:
        station.faults.arm(Fault.SKIP_STATUSES, "UpdateFirmware")
        await csms.call("UpdateFirmware", update(files, image("2.0.0")))
        await csms.until(lambda: versions_booted(csms)[-1] == "2.0.0")

    assert told(csms, "FirmwareStatusNotification")[-1] == "Installing"


async def test_a_download_that_breaks_off_goes_on_where_it_ended(csms, start, files):
    content = image("2.0.0", size=400_000)
    async with start("2.0.1") as station:
        station.faults.arm(Fault.BREAK_OFF_TRANSFER, "UpdateFirmware")
        await csms.call("UpdateFirmware", update(files, content, retries=1, retryInterval=1))
        await csms.until(lambda: "Installed" in told(csms, "FirmwareStatusNotification"))

    assert len(files.ranges) == 1


@pytest.mark.parametrize("content", [b"no image at all", b"", b"chargebus-firmware 2.0.0"])
async def test_what_is_no_image_is_not_installed(csms, start, files, content):
    async with start("2.0.1"):
        await csms.call("UpdateFirmware", update(files, content))
        await csms.until(lambda: "InstallVerificationFailed" in told(csms, "FirmwareStatusNotification"))


async def test_an_image_that_was_changed_after_it_was_signed_is_refused(csms, start, files):
    wanted = update(files, image("2.0.0"))
    files.content["/image"] = image("6.6.6")
    async with start("2.0.1"):
        await csms.call("UpdateFirmware", wanted)
        await csms.until(lambda: "InvalidSignature" in told(csms, "FirmwareStatusNotification"))


async def test_a_certificate_that_is_none_is_refused_at_once(csms, start, files):
    wanted = update(files, image("2.0.0"))
    wanted["firmware"]["signingCertificate"] = "x"
    async with start("2.0.1"):
        assert await csms.call("UpdateFirmware", wanted) == {"status": "InvalidCertificate"}


async def test_an_update_that_is_to_begin_later_gives_way_to_another(csms, start, files):
    later = update(files, image("2.0.0"))
    later["firmware"]["retrieveDateTime"] = format_timestamp(NOW + timedelta(days=1))
    async with start("2.0.1"):
        await csms.call("UpdateFirmware", later)
        await csms.until(lambda: told(csms, "FirmwareStatusNotification") == ["DownloadScheduled"])
        answer = await csms.call("UpdateFirmware", update(files, image("3.0.0")) | {"requestId": 8})
        await csms.until(lambda: "Installed" in told(csms, "FirmwareStatusNotification"))

    assert answer == {"status": "AcceptedCanceled"}
    assert versions_booted(csms)[-1] == "3.0.0"


@pytest.mark.parametrize("good", [True, False])
async def test_a_local_controller_checks_what_it_publishes(csms, start, files, good):
    files.content["/image"] = content = image("2.0.0")
    checksum = md5(content if good else b"other", usedforsecurity=False).hexdigest()
    last = "Published" if good else "InvalidChecksum"
    async with start("2.0.1"):
        wanted = {"location": files.url("/image"), "checksum": checksum, "requestId": 9}
        assert await csms.call("PublishFirmware", wanted) == {"status": "Accepted"}
        await csms.until(lambda: last in told(csms, "PublishFirmwareStatusNotification"))
        gone = await csms.call("UnpublishFirmware", {"checksum": checksum})

    assert gone == {"status": "Unpublished" if good else "NoFirmware"}


LOGS = [
    Asked("1.6", "GetDiagnostics", "DiagnosticsStatusNotification", "PUT"),
    Asked("1.6", "GetLog", "LogStatusNotification", "POST"),
    Asked("2.0.1", "GetLog", "LogStatusNotification", "PUT"),
    Asked("2.1", "GetLog", "LogStatusNotification", "PUT"),
]


def wanted_log(action: str, url: str, number: int = 5) -> dict[str, Any]:
    if action == "GetDiagnostics":
        return {"location": url, "retries": 1, "retryInterval": 1}
    log = {"remoteLocation": url}
    return {"logType": "DiagnosticsLog", "requestId": number, "log": log, "retries": 1, "retryInterval": 1}


@pytest.mark.parametrize("asked", LOGS)
async def test_a_log_is_really_sent(csms, start, files, asked):
    async with start(asked.version):
        answer = await csms.call(asked.action, wanted_log(asked.action, files.url("/logs")))
        await csms.until(lambda: "Uploaded" in told(csms, asked.tells))

    (used, path, content) = files.taken[0]
    assert used == asked.method
    assert path == ("/logs/CS%201.6-diagnostics.log" if asked.action == "GetDiagnostics" else "/logs")
    assert f"DiagnosticsLog of CS {asked.version}: Chargebus Virtual 22, firmware 1.0.0".encode() in content
    assert asked.action.encode() in content
    assert told(csms, asked.tells) == ["Uploading", "Uploaded"]
    assert "filename" in answer or "fileName" in answer


@pytest.mark.parametrize("asked", LOGS)
async def test_an_upload_that_breaks_off_is_tried_again(csms, start, files, asked):
    async with start(asked.version) as station:
        station.faults.arm(Fault.BREAK_OFF_TRANSFER, asked.action)
        await csms.call(asked.action, wanted_log(asked.action, files.url("/logs")))
        await csms.until(lambda: "Uploaded" in told(csms, asked.tells))

    assert len(files.taken) == 1


@pytest.mark.parametrize("asked", LOGS)
async def test_a_log_that_nobody_takes_is_told_of(csms, start, files, asked):
    async with start(asked.version) as station:
        station.faults.arm(Fault.FAIL_UPLOAD, asked.action, times=2)
        await csms.call(asked.action, wanted_log(asked.action, files.url("/logs")))
        last = "UploadFailed" if asked.action == "GetDiagnostics" else "UploadFailure"
        await csms.until(lambda: last in told(csms, asked.tells))

    assert files.taken == []


async def test_a_log_may_be_sent_twice_or_only_said_to_be_sent(csms, start, files):
    async with start("2.0.1") as station:
        station.faults.arm(Fault.UPLOAD_TWICE, "GetLog")
        await csms.call("GetLog", wanted_log("GetLog", files.url("/logs")))
        await csms.until(lambda: told(csms, "LogStatusNotification").count("Uploaded") == 1)
        assert len(files.taken) == 2

        station.faults.arm(Fault.SAY_UPLOADED, "GetLog")
        await csms.call("GetLog", wanted_log("GetLog", files.url("/logs"), number=6))
        await csms.until(lambda: told(csms, "LogStatusNotification").count("Uploaded") == 2)
        assert len(files.taken) == 2
