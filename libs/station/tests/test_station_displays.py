"""What a display takes stands in the device model, and is what the station goes by."""

import pytest
from chargebus_station.device_model import VariableAddress
from chargebus_station.displays import MOST

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
HELD = {"2.0.1": "NumberDisplayMessages", "2.1": "DisplayMessages"}


def message(number: int, **more: object) -> dict[str, object]:
    text = {"format": "UTF8", "content": "Free on Sundays"}
    return {"message": {"id": number, "priority": "NormalCycle", "message": text, **more}}


async def read(csms, names: list[str], **more: str) -> dict[str, str]:
    wanted = [{"component": {"name": "DisplayMessageCtrlr"}, "variable": {"name": name}, **more} for name in names]
    answer = await csms.call("GetVariables", {"getVariableData": wanted})
    return {each["variable"]["name"]: each.get("attributeValue", "") for each in answer["getVariableResult"]}


@V2
async def test_a_station_says_what_its_display_takes(csms, start, version):
    async with start(version):
        said = await read(csms, ["Available", "SupportedFormats", "SupportedPriorities", "SupportedStates"])
        largest = await read(csms, [HELD[version], "Available"], attributeType="MaxSet")

    assert said["Available"] == "true"
    assert ("QRCODE" in said["SupportedFormats"], "Discharging" in said["SupportedStates"]) == (
        version == "2.1",
        version == "2.1",
    )
    assert said["SupportedPriorities"] == "AlwaysFront,InFront,NormalCycle"
    assert largest == {HELD[version]: str(MOST), "Available": ""}


@V2
async def test_a_station_says_how_many_messages_it_has(csms, start, version):
    async with start(version):
        for number in (1, 2, 2):
            assert await csms.call("SetDisplayMessage", message(number)) == {"status": "Accepted"}
        two = await read(csms, [HELD[version]])
        await csms.call("ClearDisplayMessage", {"id": 1})
        one = await read(csms, [HELD[version]])

    assert (two, one) == ({HELD[version]: "2"}, {HELD[version]: "1"})


@pytest.mark.parametrize(
    ("taken", "more", "refusal"),
    [
        (("SupportedFormats", "ASCII"), {}, "NotSupportedMessageFormat"),
        (("SupportedPriorities", "NormalCycle"), {"priority": "InFront"}, "NotSupportedPriority"),
        (("SupportedStates", "Idle"), {"state": "Charging"}, "NotSupportedState"),
    ],
)
async def test_a_station_refuses_what_its_display_does_not_take(csms, start, taken, more, refusal):
    variable, value = taken
    async with start("2.0.1") as station:
        station.state.device.put(VariableAddress("DisplayMessageCtrlr", variable), value)

        assert await csms.call("SetDisplayMessage", message(1, **more)) == {"status": refusal}


async def test_a_16_station_says_how_it_transfers_files(csms, start):
    async with start("1.6"):
        answer = await csms.call("GetConfiguration", {"key": ["SupportedFileTransferProtocols"]})

    assert [each["value"] for each in answer["configurationKey"]] == ["HTTPS,HTTP,SFTP,FTP"]
