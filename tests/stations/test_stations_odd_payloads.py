"""Payloads broken at random: whatever a station says, it is understood or refused, and none of our code fails on it."""

import asyncio
import copy
import random

import pytest
from chargebus_ocppj.actions import ACTIONS
from chargebus_ocppj.versions import VERSIONS
from chargebus_testkit import leftovers
from chargebus_testkit.checker import Checker, Expected
from chargebus_testkit.log import Log
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.socket import RefusedError
from chargebus_testkit.raw.times import ago
from chargebus_testkit.samples import smallest

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]

CALLS = 60
AT_ONCE = 3
MEMBER, LONG, DEEP = {"extra": [1, {"more": None}]}, "x" * 600, [[[[]]]]
ODD = (None, "", 0, -1, 1.5, True, [], {}, LONG, 2**70, -(2**70), 1e300, "a\0b", "2025-13-45T99:00:00Z", MEMBER, DEEP)
OUR_FAULT = {"InternalError", "GenericError"}

EVENT = v201.started("t", 0, ago(60), 1000, offline=True, info={"chargingState": "Charging", "remoteStartId": 7})
RICH_201 = [
    *(("TransactionEvent", {**EVENT, "eventType": kind}) for kind in ("Started", "Updated", "Ended")),
    ("MeterValues", v201.meter_values(ago(40), 3.0, phase="L1", unitOfMeasure={"unit": "kWh", "multiplier": 0})),
    ("Authorize", {"idToken": v201.id_token("ALICE")}),
    ("BootNotification", v201.boot()),
    ("StatusNotification", v201.status(at=ago(4))),
]
READINGS = [{"timestamp": ago(40), "sampledValue": [v16.reading(2000, phase="L1", context="Sample.Periodic")]}]
RICH_16 = [
    ("StartTransaction", v16.start(ago(60), 1000, reservationId=3)),
    ("StopTransaction", v16.stop(5, ago(30), 3000, idTag="ALICE", reason="Local", transactionData=READINGS)),
    ("MeterValues", v16.meter_values(ago(40), 2000, 5)),
    ("Authorize", {"idTag": "ALICE"}),
    ("BootNotification", v16.boot(chargePointSerialNumber="S")),
    ("StatusNotification", v16.status(info="i", timestamp=ago(3))),
]
RICH = {"1.6": RICH_16, "2.0.1": RICH_201, "2.1": RICH_201}


def places(node, at=()):
    """Yield where the members of a payload are, the payload itself first."""
    yield at
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, member in members:
        yield from places(member, (*at, name))


def broken(dice, payload):
    """Return a payload with one to three of its members left out, put into a list, added to or replaced."""
    payload = copy.deepcopy(payload)
    for _ in range(dice.randint(1, 3)):
        *above, name = dice.choice([place for place in places({"payload": payload}) if len(place) > 1])
        node = {"payload": payload}
        for step in above:
            node = node[step]
        match dice.choice(("out", "list", "more", "odd")):
            case "out":
                del node[name]
            case "list":
                node[name] = [node[name]]
            case "more" if isinstance(node, dict):
                node[f"extra{dice.randrange(9)}"] = copy.deepcopy(dice.choice(ODD))
            case _:
                node[name] = copy.deepcopy(dice.choice(ODD))
        if not payload:
            break
    return payload


async def talk(raw_station, version, seed):
    """Send broken payloads and return those that our code failed on, and how many were understood."""
    dice = random.Random(f"{version} {seed}")
    plain = [
        (each.name, payload)
        for each in ACTIONS
        if each.initiator == "station" and version in each.versions and (payload := smallest(version, each.name))
    ]
    failed, understood = [], 0
    async with raw_station(version) as station:
        for _ in range(CALLS):
            action, payload = dice.choice(RICH[version] if dice.random() < 0.7 else plain)
            said = broken(dice, payload)
            try:
                await station.call(action, said)
                understood += 1
            except RefusedError as refused:
                failed += [(action, said, str(refused))] if refused.code in OUR_FAULT else []
    return failed, understood


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_broken_payload_is_understood_or_refused(raw_station, system, rightly_parked, version):
    found = await asyncio.gather(*(talk(raw_station, version, seed) for seed in range(AT_ONCE)))

    assert [failure for failures, _ in found for failure in failures] == []
    assert sum(understood for _, understood in found) > AT_ONCE * CALLS / 2
    objections = await Checker(system).objections(Expected(parked=frozenset(rightly_parked)))
    assert [each for each in objections if "): refused: " not in each] == []
    async with Log(system.kafka_connection) as log:
        rightly_parked.update(record.text("ce_id") for record in await leftovers.parked(log))
