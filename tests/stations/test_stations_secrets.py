"""A password that the CSMS sets reaches the station, and nobody else: not a viewer, a topic, a database, a log."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from chargebus_events.commands import CommandForm, CommandRequested
from chargebus_events.topics import DOWNLINK
from chargebus_runtime.producer import Producer
from chargebus_runtime.sealing import Sealing
from chargebus_testkit.log import Log
from chargebus_testkit.partitions import SYSTEM_TOPICS
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILE = "ftp://user:{}@files.example/fw.bin"
FIRMWARE = {"location": FILE, "retrieveDateTime": "2026-05-01T12:00:00Z"}
VPN = {"server": "v", "user": "u", "type": "PPTP", "password": "{}", "key": "{}"}
CONNECTION = {
    "ocppVersion": "OCPP20",
    "ocppTransport": "JSON",
    "ocppCsmsUrl": "wss://csms.example/ocpp",
    "messageTimeout": 30,
    "securityProfile": 1,
    "ocppInterface": "Wired0",
    "apn": {"apn": "internet", "apnAuthentication": "PAP", "apnPassword": "{}"},
    "vpn": VPN,
}
NETWORK = {"configurationSlot": 1, "connectionData": CONNECTION}
PASSWORD = {"name": "BasicAuthPassword"}
SECURITY = {"name": "SecurityCtrlr"}

COMMANDS = [
    ("1.6", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "{}"}, {"status": "Rejected"}),
    ("1.6", "DataTransfer", {"vendorId": "AcmeLock", "data": "{}"}, {"status": "Accepted", "data": "{}"}),
    ("1.6", "UpdateFirmware", {"location": FILE, "retrieveDate": "2026-05-01T12:00:00Z"}, {}),
    (
        "1.6",
        "GetConfiguration",
        {"key": ["AuthorizationKey"]},
        {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": "{}"}]},
    ),
    (
        "2.0.1",
        "SetVariables",
        {"setVariableData": [{"attributeValue": "{}", "component": SECURITY, "variable": PASSWORD}]},
        {
            "setVariableResult": [
                {
                    "attributeStatus": "Rejected",
                    "component": SECURITY,
                    "variable": PASSWORD,
                    "attributeStatusInfo": {"reasonCode": "TooWeak", "additionalInfo": "{} is too weak"},
                }
            ]
        },
    ),
    ("2.0.1", "SetNetworkProfile", NETWORK, {"status": "Accepted"}),
    ("2.0.1", "UpdateFirmware", {"requestId": 1, "firmware": FIRMWARE}, {"status": "Accepted"}),
    (
        "2.1",
        "GetVariables",
        {"getVariableData": [{"component": SECURITY, "variable": PASSWORD}]},
        {
            "getVariableResult": [
                {
                    "attributeStatus": "Accepted",
                    "attributeValue": "{}",
                    "component": SECURITY,
                    "variable": PASSWORD,
                }
            ]
        },
    ),
]


def filled(payload: object, secret: str) -> dict[str, object]:
    """Return a payload in which each `{}` is the secret."""
    return json.loads(json.dumps(payload).replace('"{}', f'"{secret}').replace(":{}@", f":{secret}@"))


async def rows(system) -> str:
    """Return all that the databases of all services hold."""
    found = []
    for service in system.databases:
        connection = await system.connect(service)
        try:
            for (table,) in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
                found += [row[0] for row in await connection.fetch(f'SELECT t::text FROM "{table}" AS t')]
        finally:
            await connection.close()
    return "\n".join(found)


async def records(system, *topics: str) -> str:
    """Return all that stands in topics."""
    async with Log(system.kafka_connection) as log:
        return "\n".join(repr(record) for record in await log.read(*topics))


def logs(system) -> str:
    return "\n".join(path.read_text() for path in system.folder.glob("*.log"))


@pytest.mark.parametrize("asked", COMMANDS, ids=lambda asked: f"{asked[0]}-{asked[1]}")
async def test_only_the_station_gets_a_secret(raw_station, system, api, numbers, asked):
    version, action, payload, reply = asked
    secret = f"hush-{next(numbers)}-horse-batt"[:20]
    async with raw_station(version) as station, system.api(await a_viewers_key(api)) as viewer:
        station.replies[action] = filled(reply, secret)
        body = {"action": action, "payload": filled(payload, secret)}
        answer = await api.request("POST", f"/v1/stations/{station.station_id}/commands", json=body)

        assert (answer.status_code, answer.json()["outcome"]) == (200, "answered")
        assert await station.asked(action) == filled(payload, secret)
        seen = await viewer.request("GET", f"/v1/stations/{station.station_id}/commands")
        assert action in seen.text
        assert secret not in seen.text + answer.text

        await eventually(lambda: rows(system), lambda found: secret not in found, what="databases without it")
        others = [topic for topic in SYSTEM_TOPICS if topic != DOWNLINK]
        assert secret not in await records(system, *others)
        assert secret not in logs(system)
        if "{}" in json.dumps(payload):
            assert secret in await records(system, DOWNLINK)


async def test_a_secret_that_waits_for_its_station_is_gone_once_it_was_told(raw_station, system, api):
    secret = "hush-it-waits-for-you"[:20]
    async with raw_station("1.6", connect=False) as station:
        body = {
            "action": "ChangeConfiguration",
            "payload": {"key": "AuthorizationKey", "value": secret},
            "ttl_s": 60,
            "wait": False,
        }
        placed = await api.call("POST", f"/v1/stations/{station.station_id}/commands", body)
        assert placed["payload"]["value"] == "***"
        assert secret not in await rows(system)
        await station.connect()
        await station.boot()

        assert (await station.asked("ChangeConfiguration"))["value"] == secret
        await eventually(lambda: rows(system), lambda found: secret not in found, what="databases without it")


async def test_a_secret_that_a_service_asks_for_is_sealed_on_its_way(raw_station, system, numbers):
    secret = f"hush-{next(numbers)}-asked-for"[:20]
    payload = {"key": "AuthorizationKey", "value": secret}
    form = CommandForm("ChangeConfiguration", msgspec.Raw(b"null"), ("1.6",))
    async with raw_station("1.6") as station:
        command_id, now = str(uuid4()), datetime.now(UTC)
        context = form.sealed_for(command_id, station.station_id)
        sealed = Sealing.of(system.sealing_key).seal(json.dumps(payload).encode(), context, now + timedelta(minutes=5))
        forms = (msgspec.structs.replace(form, sealed=sealed),)
        asked = CommandRequested(command_id, station.station_id, "session", now, forms, ttl_s=60)
        producer = Producer(system.kafka_connection)
        try:
            await producer.start()
            await producer.publish([asked.record()])
        finally:
            await producer.stop()

        assert await station.asked("ChangeConfiguration") == payload
        await eventually(lambda: rows(system), lambda found: secret not in found, what="databases without it")
        others = [topic for topic in SYSTEM_TOPICS if topic != DOWNLINK]
        found = await records(system, *others)
        assert (sealed in found, secret in found + logs(system)) == (True, False)


async def a_viewers_key(api) -> str:
    made = await api.call("POST", "/v1/api-keys", {"name": "who only looks", "role": "viewer"})
    return made["key"]
