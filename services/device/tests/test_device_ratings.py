"""What EVSEs are built for: as an operator registers it, and as device models report it."""

import json

import msgspec
import pytest
from chargebus_device.ratings.domain import MOST, with_reported
from chargebus_device.ratings.v201 import report
from chargebus_events.frames import Frame
from chargebus_events.registry import Rating, RegisteredStation
from chargebus_events.topics import REGISTRY


def datum(component, variable, value="", *, evse_id=1, connector_id=None, **characteristics):
    evse = {"id": evse_id} | ({} if connector_id is None else {"connectorId": connector_id})
    return {
        "component": {"name": component, "evse": evse},
        "variable": {"name": variable},
        "variableAttribute": [{"value": value}] if value else [{"mutability": "ReadOnly"}],
        "variableCharacteristics": {"dataType": "decimal", "supportsMonitoring": False, **characteristics},
    }


POWER = datum("EVSE", "Power", unit="W", maxLimit=11_000)
PHASES = datum("EVSE", "SupplyPhases", "3")
TYPE = datum("Connector", "ConnectorType", "sType2", connector_id=1)


def notify_report(*data):
    return json.dumps({"requestId": 1, "generatedAt": "2025-03-01T12:00:00Z", "seqNo": 0, "reportData": data}).encode()


def said(*data):
    payload = data[0] if isinstance(data[0], bytes) else notify_report(*data)
    return report(Frame("CS-1", "2.0.1", "NotifyReport", "m", 3, 7, 1, payload, None)).ratings


def test_a_device_model_tells_power_phases_and_connectors():
    assert said(POWER, PHASES, TYPE) == (
        Rating(1, max_power_w=11_000),
        Rating(1, phases=3),
        Rating(1, 1, connector_type="sType2"),
    )


@pytest.mark.parametrize(
    ("characteristics", "power_w"),
    [
        ({"unit": "kW", "maxLimit": 22}, 22_000),
        ({"maxLimit": 22_000}, 22_000),
        ({"unit": "W", "maxLimit": 22}, None),
        ({"unit": "A", "maxLimit": 22_000}, None),
        ({"unit": "W", "maxLimit": 0}, None),
        ({"unit": "W", "maxLimit": 1e9}, None),
        ({"unit": "W"}, None),
    ],
)
def test_a_power_counts_in_its_unit_and_where_it_can_be_one(characteristics, power_w):
    ratings = said(datum("EVSE", "Power", "7000", **characteristics))
    assert ratings == (() if power_w is None else (Rating(1, max_power_w=power_w),))


def test_the_largest_value_that_may_be_set_stands_for_a_limit():
    power = datum("EVSE", "Power", unit="W") | {"variableAttribute": [{"type": "MaxSet", "value": "22000"}]}
    assert said(power) == (Rating(1, max_power_w=22_000),)


@pytest.mark.parametrize(
    "other",
    [
        b"{}",
        b'{"reportData":"Power"}',
        b'{"reportData":[{"component":{"name":"EVSE"},"variable":{"name":"Power"}}]}',
        b'{"reportData":["power", 17, null, {"variable":{"name":"Power"}}]}',
        notify_report(datum("EVSE", "Power", unit="W", maxLimit=11_000, evse_id=0)),
        notify_report(datum("EVSE", "SupplyPhases", "three")),
        notify_report(datum("Connector", "ConnectorType", "sType2")),
    ],
)
def test_what_cannot_be_read_says_nothing(other):
    assert said(other) == ()


def test_reports_come_in_parts_and_say_the_newest():
    known = with_reported((), said(POWER, TYPE))
    known = with_reported(known, said(PHASES))
    known = with_reported(known, said(datum("EVSE", "Power", unit="W", maxLimit=22_000)))
    assert known == (Rating(1, 0, 22_000, "", 3), Rating(1, 1, None, "sType2"))
    many = with_reported(known, [Rating(evse_id, max_power_w=1e4) for evse_id in range(1, 1000)])
    assert len(many) == MOST


def stations(records):
    found = [record for record in records if record.topic == REGISTRY]
    return [msgspec.json.decode(record.value, type=RegisteredStation) for record in found]


async def test_what_a_station_reports_goes_to_the_registry_once(api, device):
    await api.post("/stations", json={"station_id": "CS-1"})
    part, other = (device.frame("NotifyReport", notify_report(*data), version="2.0.1") for data in ((POWER,), (TYPE,)))

    [told] = stations(await device.apply(part, other))
    assert told.reported_ratings == (Rating(1, max_power_w=11_000), Rating(1, 1, connector_type="sType2"))

    assert stations(await device.apply(device.frame("NotifyReport", notify_report(POWER, TYPE), version="2.1"))) == []
    shown = (await api.get("/stations/CS-1")).json()["reported_ratings"]
    assert [(each["connector_id"], each["max_power_w"], each["connector_type"]) for each in shown] == [
        (0, 11_000, ""),
        (1, None, "sType2"),
    ]


async def test_what_nobody_registered_reports_is_not_kept(device):
    assert stations(await device.apply(device.frame("NotifyReport", notify_report(POWER), version="2.0.1"))) == []


async def test_an_operator_says_what_evses_are_built_for(api, device):
    ratings = [{"evse_id": 1, "max_power_w": 11_000}, {"evse_id": 1, "connector_id": 1, "connector_type": "sType2"}]
    created = await api.post("/stations", json={"station_id": "CS-1", "ratings": ratings})
    assert [each["max_power_w"] for each in created.json()["ratings"]] == [11_000, None]
    await api.patch("/stations/CS-1", json={"name": "as it was"})
    changed = await api.patch("/stations/CS-1", json={"ratings": [{"max_power_w": 5000}, {"max_power_w": 6000}]})
    assert [(each["evse_id"], each["max_power_w"]) for each in changed.json()["ratings"]] == [(0, 6000)]
    await device.database.outbox.settle()

    told = [each.ratings for each in stations(device.sent.records)]
    first = (Rating(1, max_power_w=11_000), Rating(1, 1, connector_type="sType2"))
    assert told == [first, first, (Rating(max_power_w=6000),)]


async def test_a_connector_type_that_there_is_none_of_is_refused(api):
    wanted = {"station_id": "CS-1", "ratings": [{"evse_id": 1, "connector_type": "Schuko"}]}
    assert (await api.post("/stations", json=wanted)).status_code == 422
