"""The meter values of a session over HTTP."""

import pytest
from chargebus_metering.api import router
from chargebus_runtime.http import Role
from chargebus_testkit.http import Anyone, http_client

PATH = "/v1/sessions/s-1/meter-values"


def sampled(minute, *values):
    return {"timestamp": f"2024-05-01T12:{minute:02d}:00Z", "sampledValue": list(values)}


@pytest.fixture
async def client(metering):
    async with http_client({"/v1": router(metering)}, Anyone(Role.VIEWER)) as client:
        yield client


@pytest.fixture
async def session(metering):
    """A session with its start, ten minutes of import register and power on three phases, and its end."""
    phases = [
        {"value": str(phase), "measurand": "Power.Active.Import", "unit": "kW", "phase": f"L{phase}"}
        for phase in (1, 2, 3)
    ]
    meter_values = [sampled(minute, {"value": str(1000 + minute)}, *phases) for minute in range(1, 11)]
    stop = {"transactionId": 77, "meterStop": 2000, "timestamp": "2024-05-01T12:30:00Z"}
    other = {"connectorId": 3, "transactionId": 78, "meterValue": [sampled(5, {"value": "9"})]}
    await metering.apply(
        metering.log.session(),
        metering.log.frame("1.6", "MeterValues", {"connectorId": 2, "transactionId": 77, "meterValue": meter_values}),
        metering.log.frame("1.6", "StopTransaction", stop),
        metering.log.frame("1.6", "MeterValues", other),
        metering.log.frame("1.6", "MeterValues", {**other, "transactionId": 77}, station_id="cs-2"),
    )


async def listed(client, **params):
    response = await client.get(PATH, params={"limit": 500, **params})
    assert response.status_code == 200, response.text
    return response.json()["items"]


async def test_a_session_has_its_readings_in_order_of_time_and_nobody_elses(client, session):
    items = await listed(client)
    assert len(items) == 1 + 10 * 4 + 1
    assert [item["sampled_at"] for item in items] == sorted(item["sampled_at"] for item in items)
    assert {(item["station_id"], item["transaction_id"], item["evse_id"]) for item in items} == {("cs-1", "77", 2)}
    assert (items[0]["value"], items[-1]["value"]) == (1000.0, 2000.0)


async def test_a_reading_tells_its_base_value_and_what_the_station_wrote(client, session):
    [item, *_] = await listed(client, phase="L2")
    assert (item["value"], item["unit"]) == (2000.0, "W")
    assert (item["original_value"], item["original_unit"]) == ("2", "kW")
    assert (item["sampled_at"], item["received_at"]) == ("2024-05-01T12:01:00Z", "2024-05-01T12:00:05Z")


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"measurand": "Energy.Active.Import.Register"}, 12),
        ({"measurand": "Power.Active.Import"}, 30),
        ({"phase": "L1"}, 10),
        ({"phase": ""}, 12),
        ({"context": "Transaction.Begin"}, 1),
        ({"from": "2024-05-01T12:05:00Z"}, 25),
        ({"to": "2024-05-01T12:05:00Z"}, 17),
        ({"from": "2024-05-01T12:05:00Z", "to": "2024-05-01T12:06:00Z"}, 4),
        ({"from": "2024-05-01T14:05:00+02:00", "to": "2024-05-01T14:06:00+02:00", "phase": "L3"}, 1),
        ({"measurand": "Voltage"}, 0),
    ],
)
async def test_readings_are_filtered(client, session, filters, count):
    assert len(await listed(client, **filters)) == count


@pytest.mark.parametrize("filters", [{}, {"phase": "L1"}, {"from": "2024-05-01T12:03:00Z"}])
async def test_pages_follow_each_other_without_gap_or_overlap(client, session, filters):
    paged, cursor = [], None
    while True:
        params = {"limit": 7, **filters, **({"cursor": cursor} if cursor else {})}
        page = (await client.get(PATH, params=params)).json()
        paged += page["items"]
        cursor = page.get("next")
        if cursor is None:
            break
    assert paged == await listed(client, **filters)


async def test_sessions_of_a_transaction_that_never_had_an_id_share_their_readings(client, metering):
    frames = [
        metering.log.frame("1.6", "StopTransaction", {"transactionId": -1, "meterStop": wh, "timestamp": timestamp})
        for wh, timestamp in ((2000, "2024-05-01T12:30:00Z"), (5000, "2024-05-02T12:30:00Z"))
    ]
    sessions = [
        metering.log.session(session_id, transaction_id="-1", evse_id=0, connector_id=0, missing=("started",))
        for session_id in ("s-1", "s-2")
    ]
    await metering.apply(*frames, *sessions)
    assert [item["value"] for item in await listed(client)] == [2000.0, 5000.0]
    assert [item["value"] for item in await listed(client, to="2024-05-02T00:00:00Z")] == [2000.0]


async def test_a_session_at_a_place_that_cannot_be_has_its_readings(client, metering):
    await metering.apply(metering.log.session(evse_id=4294967295))
    assert [(item["value"], item["evse_id"]) for item in await listed(client)] == [(1000.0, 0)]


async def test_an_unknown_session_is_a_problem_that_says_so(client, session):
    response = await client.get("/v1/sessions/nobody/meter-values")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert "nobody" in response.json()["detail"]


@pytest.mark.parametrize(
    "params", [{"cursor": "x"}, {"from": "yesterday"}, {"to": "2024-05-01T12:00:00"}, {"limit": 0}]
)
async def test_parameters_that_mean_nothing_are_refused(client, session, params):
    assert (await client.get(PATH, params=params)).status_code == 422
