"""Functional block N as to customers: what a station knows of them is told in parts, cleared, or neither."""

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
CERTIFICATE = {"hash_algorithm": "SHA256", "issuer_name_hash": "a", "issuer_key_hash": "b", "serial_number": "1"}


@pytest.fixture
def request_of(api, told):
    """Ask a station of a customer; return what came of it once it is in a state."""

    async def ask(station, state, **body):
        station_id = station.config.station_id if hasattr(station, "config") else station.station_id
        asked = await api.call("POST", "/v1/customer-information", {"station_id": station_id} | body)
        path = f"/v1/customer-information/{asked['request_id']}"
        return await told(path, lambda said: said.get("state") == state, 60, f"{path} is {state}")

    return ask


async def known(ask, station, token):
    """Have a station know a token, in its local list."""
    entry = {"idToken": {"idToken": token, "type": "Central"}, "idTokenInfo": {"status": "Accepted"}}
    version = station.state.local_list_version + 1
    local_list = {"versionNumber": version, "updateType": "Full", "localAuthorizationList": [entry]}
    assert (await ask(station, "SendLocalList", local_list))["reply"] == {"status": "Accepted"}


@pytest.mark.case("TC_N_27", "TC_N_30")
@V2
@pytest.mark.parametrize(("case", "clear"), [("TC_N_27", False), ("TC_N_30", True)])
async def test_what_a_station_knows_is_told(virtual_station, ask, request_of, version, case, clear):
    async with virtual_station(version) as station:
        await known(ask, station, case)
        said = await request_of(station, "complete", id_token={"id_token": case}, clear=clear)
        assert said["text"] == f"{case} is Accepted in the local list"
        assert said["parts"] > 1


@pytest.mark.case("TC_N_28", "TC_N_31", "TC_N_62", "TC_N_63")
@V2
@pytest.mark.parametrize(
    ("case", "who", "clear"),
    [
        ("TC_N_28", {"id_token": {"id_token": "NOBODY"}}, False),
        ("TC_N_31", {"id_token": {"id_token": "NOBODY"}}, True),
        ("TC_N_62", {"customer_identifier": "TC_N_62"}, True),
        ("TC_N_63", {"customer_certificate": CERTIFICATE}, True),
    ],
)
async def test_a_station_that_knows_nothing_says_so(virtual_station, request_of, version, case, who, clear):
    async with virtual_station(version) as station:
        said = await request_of(station, "complete", **who, clear=clear)
        assert said["text"] == "no data", case


@pytest.mark.case("TC_N_29")
@V2
@pytest.mark.parametrize("word", ["Rejected", "Invalid"])
async def test_TC_N_29_a_request_is_not_accepted(raw_station, request_of, version, word):
    async with raw_station(version, {"CustomerInformation": {"status": word}}) as station:
        said = await request_of(station, "refused", customer_identifier="Alice")
        assert (said["reason"], said["text"]) == (word, "")


@pytest.mark.case("TC_N_32")
@V2
async def test_TC_N_32_clear_and_no_report(virtual_station, request_of, version):
    async with virtual_station(version) as station:
        station.state.cache["TC_N_32"] = "Accepted"
        said = await request_of(station, "done", id_token={"id_token": "TC_N_32"}, report=False, clear=True)
        assert (said["parts"], "TC_N_32" in station.state.cache) == (0, False)


@pytest.mark.case("TC_N_46")
@V2
async def test_TC_N_46_a_customer_is_cleared_and_taken_off_the_local_list(virtual_station, ask, request_of, version):
    async with virtual_station(version) as station:
        await known(ask, station, "TC_N_46")
        said = await request_of(station, "complete", id_token={"id_token": "TC_N_46"}, clear=True)
        assert "local list" in said["text"]
        await known(ask, station, "SOMEBODY-ELSE")
        again = await request_of(station, "complete", id_token={"id_token": "TC_N_46"})
        assert again["text"] == "no data"
