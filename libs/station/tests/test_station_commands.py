"""Every action that a CSMS may start, in every version: answered, and as its schema wants it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chargebus_ocppj.actions import ACTIONS
from chargebus_ocppj.official import read_schema
from chargebus_ocppj.timestamps import format_timestamp
from chargebus_ocppj.versions import VERSIONS
from chargebus_station.charging import Vehicle
from chargebus_station.config import EnergyUnit
from chargebus_station.dialects import DIALECTS
from chargebus_station.driver_visit import DriverVisit
from chargebus_station.transaction import IdToken
from websockets.asyncio.client import ClientConnection

CSMS_ACTIONS = [
    (version, action.name) for action in ACTIONS if action.initiator == "csms" for version in action.versions
]
SOON = format_timestamp(datetime.now(UTC) + timedelta(days=1))
VISIT = DriverVisit(1, Vehicle(60_000, 11_000, soc=0.2), IdToken("ALICE"), stay_s=1_000_000)


PLAIN = {"integer": 1, "number": 1.0, "boolean": True}
FORMATS = {"date-time": SOON, "uri": "https://example.com/x"}


def smallest(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """Return the smallest value that a schema allows."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: smallest(schema["properties"][name], definitions) for name in schema.get("required", [])}
    if schema.get("type") == "array":
        return [smallest(schema["items"], definitions)] * schema.get("minItems", 1)
    return PLAIN.get(schema.get("type", ""), FORMATS.get(schema.get("format", ""), "x"))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_table_of_commands_is_that_of_the_version(version):
    commands = DIALECTS[version](EnergyUnit.WH).commands
    assert sorted(commands) == sorted(name for v, name in CSMS_ACTIONS if v == version)


@pytest.mark.parametrize(("version", "action"), CSMS_ACTIONS)
async def test_every_command_gets_a_valid_answer(csms, start, version, action):
    schema = read_schema(version, action, "request")
    async with start(version) as station:
        await csms.call(action, smallest(schema, schema.get("definitions", {})))
        await station.until(lambda: station.history.commands[0].answered is not None)
        assert station.history.commands[0].action == action


@pytest.mark.parametrize(("version", "action"), CSMS_ACTIONS)
async def test_every_command_gets_a_valid_answer_while_a_vehicle_charges(csms, start, version, action):
    schema = read_schema(version, action, "request")
    async with start(version) as station:
        station.visit(VISIT)
        await station.until(lambda: any(entry.start_answered for entry in station.history.transactions))
        await csms.call(action, smallest(schema, schema.get("definitions", {})))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_connector_is_broken_and_repaired_on_request(csms, start, version):
    async def says(message_id: str, **more: object) -> str:
        said = {"vendorId": "chargebus.simulation", "messageId": message_id, **more}
        return (await csms.call("DataTransfer", said))["status"]

    async with start(version) as station:
        station.visit(VISIT)
        await station.until(lambda: any(entry.start_answered for entry in station.history.transactions))
        assert await says("Break", data="1") == "Accepted"
        await station.until(lambda: not station.state.evses[1].occupied)
        assert station.state.evses[1].faulted
        assert await says("Repair") == "Accepted"
        await station.until(lambda: station.state.evses[1].free)
        assert [await says("Dance"), await says("Break", data="9"), await says("Break", data="all")] == [
            "UnknownMessageId",
            "Rejected",
            "Rejected",
        ]
        assert (await csms.call("DataTransfer", {"vendorId": "other"}))["status"] == "UnknownVendorId"


async def test_what_follows_from_an_answer_is_left_undone_where_the_station_is_switched_off_meanwhile(
    csms, start, monkeypatch
):
    answering = asyncio.Event()

    async def never(_socket, _text):
        answering.set()
        await asyncio.Event().wait()

    async with start("2.0.1") as station:
        monkeypatch.setattr(ClientConnection, "send", never)
        reset = asyncio.create_task(csms.call("Reset", {"type": "Immediate"}))
        await answering.wait()
    reset.cancel()

    assert [entry.action for entry in station.history.commands] == ["Reset"]
