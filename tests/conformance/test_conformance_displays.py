"""Functional block O: messages on displays, set, reported, replaced and cleared by what is wanted, case by case."""

from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
LATER_S = 120


@pytest.fixture
def want(api):
    """Want a message on a station; return its id."""

    async def add(station, content="Free on Sundays", **more):
        body = {"station_ids": [id_of(station)], "content": content} | more
        return (await api.call("POST", "/v1/display-messages", body))["message_id"]

    return add


@pytest.fixture
def became(told):
    """Wait until a message has a status on its one station; return what is said of it there."""

    async def wait(message_id, status):
        path = f"/v1/display-messages/{message_id}/stations"
        found = await told(
            path, lambda said: [each["status"] for each in said["items"]] == [status], LATER_S, f"{message_id} {status}"
        )
        return found["items"][0]

    return wait


@pytest.fixture
def compared(api, told):
    """Have a station report its messages; return what is wanted beside what it reported."""

    async def ask(station):
        path = f"/v1/stations/{id_of(station)}/display-messages"
        await api.call("POST", f"{path}/compare")
        return await told(path, lambda said: said["report"] == "complete", LATER_S, "the report")

    return ask


def id_of(station):
    return station.config.station_id if hasattr(station, "config") else station.station_id


def written(at):
    return at.isoformat().replace("+00:00", "Z")


def verdicts(said):
    return [each["verdict"] for each in said["messages"]]


@pytest.mark.case("TC_O_01")
@V2
async def test_TC_O_01_set_display_message(virtual_station, want, became, version):
    async with virtual_station(version) as station:
        on_station = await became(await want(station), "shown")
        [message] = station.state.displays.values()
        assert message["id"] == on_station["number"]
        assert (message["priority"], message["message"]["content"]) == ("NormalCycle", "Free on Sundays")


@pytest.mark.case("TC_O_02", "TC_O_05")
@V2
async def test_TC_O_02_TC_O_05_messages_are_reported_in_parts_and_an_unknown_one_cleared(
    virtual_station, want, became, compared, api, version
):
    async with virtual_station(version) as station:
        wanted = [await want(station, f"Message {number}") for number in range(3)]
        for message_id in wanted:
            await became(message_id, "shown")
        station.state.displays[7] = {"id": 7, "priority": "InFront", "message": {"format": "ASCII", "content": "Mine"}}
        said = await compared(station)
        assert verdicts(said) == ["of others", "as wanted", "as wanted", "as wanted"]
        station.state.displays.clear()
        await api.call("DELETE", f"/v1/display-messages/{wanted[0]}")
        await became(wanted[0], "gone")


@pytest.mark.case("TC_O_03")
@V2
async def test_TC_O_03_no_messages_configured(virtual_station, compared, version):
    async with virtual_station(version) as station:
        said = await compared(station)
        assert said["messages"] == []


@pytest.mark.case("TC_O_04")
@V2
async def test_TC_O_04_clear_display_message(virtual_station, want, became, api, version):
    async with virtual_station(version) as station:
        message_id = await want(station)
        await became(message_id, "shown")
        await api.call("DELETE", f"/v1/display-messages/{message_id}")
        await became(message_id, "gone")
        assert station.state.displays == {}


@pytest.mark.case("TC_O_06", "TC_O_27", "TC_O_28")
@V2
async def test_TC_O_06_TC_O_27_TC_O_28_a_message_for_a_transaction(virtual_station, charge, want, became, version):
    async with virtual_station(version) as station:
        transaction_id = await charge(station)
        starts_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        ends_at = starts_at + timedelta(hours=1)
        message_id = await want(
            station, transaction_id=transaction_id, starts_at=written(starts_at), ends_at=written(ends_at)
        )
        await became(message_id, "shown")
        [message] = station.state.displays.values()
        assert message["transactionId"] == transaction_id
        assert (message["startDateTime"][:19], message["endDateTime"][:19]) == (
            starts_at.isoformat()[:19],
            ends_at.isoformat()[:19],
        )


@pytest.mark.case("TC_O_07", "TC_O_08", "TC_O_09", "TC_O_11")
@V2
@pytest.mark.parametrize(
    ("case", "criteria", "status"),
    [
        ("TC_O_07", {"id": [5]}, "Accepted"),
        ("TC_O_08", {"priority": "InFront"}, "Accepted"),
        ("TC_O_09", {"state": "Idle"}, "Accepted"),
        ("TC_O_11", {"id": [6]}, "Unknown"),
    ],
)
async def test_get_specific_messages(virtual_station, ask, version, case, criteria, status):
    async with virtual_station(version) as station:
        station.state.displays[5] = {
            "id": 5, "priority": "InFront", "state": "Idle", "message": {"format": "ASCII", "content": case},
        }  # fmt: skip
        answer = await ask(station, "GetDisplayMessages", {"requestId": 1, **criteria})
        assert answer["reply"] == {"status": status}


@pytest.mark.case("TC_O_10")
@V2
async def test_TC_O_10_unknown_transaction(virtual_station, want, became, version):
    async with virtual_station(version) as station:
        on_station = await became(await want(station, transaction_id="over"), "refused")
        assert on_station["reason"] == "UnknownTransaction"


@pytest.mark.case("TC_O_12")
@V2
async def test_TC_O_12_replace_display_message(virtual_station, want, became, api, version):
    async with virtual_station(version) as station:
        message_id = await want(station)
        number = (await became(message_id, "shown"))["number"]
        body = {"station_ids": [id_of(station)], "content": "Free on Mondays", "priority": "InFront"}
        await api.call("PUT", f"/v1/display-messages/{message_id}", body)
        await station.until(lambda: station.state.displays[number]["message"]["content"] == "Free on Mondays")
        await became(message_id, "shown")
        assert list(station.state.displays) == [number]


@pytest.mark.case("TC_O_13", "TC_O_14")
@V2
async def test_TC_O_13_TC_O_14_a_message_has_a_begin_and_is_over_at_its_end(
    raw_station, want, became, compared, version
):
    async with raw_station(version, {"SetDisplayMessage": {"status": "Accepted"}}) as station:
        starts_at = datetime.now(UTC).replace(microsecond=0)
        ends_at = starts_at + timedelta(seconds=20)
        message_id = await want(station, starts_at=written(starts_at), ends_at=written(ends_at))
        said = (await station.asked("SetDisplayMessage"))["message"]
        assert said["startDateTime"][:19] == starts_at.isoformat()[:19]
        await became(message_id, "over")


@pytest.mark.case("TC_O_17", "TC_O_18", "TC_O_19", "TC_O_26")
@V2
@pytest.mark.parametrize(
    ("case", "word"),
    [
        ("TC_O_17", "NotSupportedPriority"),
        ("TC_O_18", "NotSupportedState"),
        ("TC_O_19", "NotSupportedMessageFormat"),
        ("TC_O_26", "Rejected"),
    ],
)
async def test_a_refusal_is_shown_with_the_stations_word(raw_station, want, became, version, case, word):
    info = {"reasonCode": case, "additionalInfo": "no"}
    async with raw_station(version, {"SetDisplayMessage": {"status": word, "statusInfo": info}}) as station:
        on_station = await became(await want(station), "refused")
        assert (on_station["reason"], on_station["detail"]) == (word, f"{case}: no")


async def test_2_1_a_language_that_a_station_does_not_have_is_shown_as_refused(raw_station, want, became):
    async with raw_station("2.1", {"SetDisplayMessage": {"status": "LanguageNotSupported"}}) as station:
        extra = [{"content": "Sonntags gratis", "language": "de"}]
        refused = await became(await want(station, language="en", extra=extra), "refused")
        told = (await station.asked("SetDisplayMessage"))["message"]
        assert refused["reason"] == "LanguageNotSupported"
        assert [each["language"] for each in told["messageExtra"]] == ["de"]


@pytest.mark.parametrize(
    ("version", "variable", "value", "wanted", "reason"),
    [
        ("2.0.1", "SupportedFormats", "ASCII,URI", {"format": "HTML"}, "NotSupportedMessageFormat"),
        ("2.0.1", "SupportedPriorities", "NormalCycle", {"priority": "InFront"}, "NotSupportedPriority"),
        ("2.1", "SupportedStates", "Idle,Faulted", {"state": "Charging"}, "NotSupportedState"),
        ("2.1", "QRCodeDisplayCapable", "false", {"format": "QRCODE"}, "NotSupportedMessageFormat"),
    ],
)
async def test_what_a_display_does_not_take_its_station_is_not_told(
    raw_station, want, became, version, variable, value, wanted, reason
):
    said = {"attributeStatus": "Accepted", "attributeValue": value, "variable": {"name": variable}}
    answer = {"getVariableResult": [said | {"component": {"name": "DisplayMessageCtrlr"}}]}
    replies = {"GetVariables": answer, "SetDisplayMessage": {"status": "Accepted"}}
    async with raw_station(version, replies) as station:
        refused = await became(await want(station, "Hello", **wanted), "refused")
        assert (refused["reason"], variable in refused["detail"]) == (reason, True)
        await became(await want(station, "Welcome", state="Idle"), "shown")
        assert (await station.asked("SetDisplayMessage"))["message"]["message"]["content"] == "Welcome"


@pytest.mark.case("TC_O_25")
@V2
@pytest.mark.parametrize("state", ["Charging", "Faulted", "Idle", "Unavailable"])
async def test_TC_O_25_a_message_for_a_state(virtual_station, want, became, version, state):
    async with virtual_station(version) as station:
        await became(await want(station, state=state), "shown")
        [message] = station.state.displays.values()
        assert message["state"] == state


async def test_2_1_a_QR_code_and_other_languages(virtual_station, want, became, compared):
    async with virtual_station("2.1") as station:
        extra = [{"content": "Sonntags gratis", "language": "de"}]
        await became(await want(station, "https://pay", format="QRCODE", state="Discharging", extra=extra), "shown")
        assert verdicts(await compared(station)) == ["as wanted"]
    async with virtual_station("2.0.1") as station:
        on_station = await became(await want(station, "https://pay", format="QRCODE"), "unsupported")
        assert on_station["detail"] == "format QRCODE needs OCPP 2.1"


async def test_a_station_that_lost_its_messages_is_told_them_anew(virtual_station, want, became, compared):
    async with virtual_station("2.1") as station:
        message_id = await want(station)
        await became(message_id, "shown")
        station.state.displays.clear()
        await compared(station)
        await station.until(lambda: len(station.state.displays) == 1)
        assert (await became(message_id, "shown"))["repaired"] == 1


async def test_stations_of_1_6_have_no_displays(virtual_station, want, became):
    async with virtual_station("1.6") as station:
        on_station = await became(await want(station), "unsupported")
        assert on_station["detail"] == "OCPP 1.6 has no display messages"
