"""A fleet that lives its day."""

import asyncio
import json
import random
from dataclasses import replace

import pytest
from chargebus_station import arrivals, fleet
from chargebus_station.arrivals import Drivers
from chargebus_station.charging import Outlet
from chargebus_station.config import Tls
from chargebus_station.device_model import Setting

AC, DC = Outlet(11_000, 3), Outlet(150_000, 0)
DRIVERS = Drivers(good=("ALICE", "BOB"), doubtful=("BLOCKED",))


def plan(csms, meters=None, **more):
    passwords = dict.fromkeys(fleet.station_ids(6), "secret")
    life = fleet.Life(speed=8000)
    return fleet.Plan(csms.url, passwords, DRIVERS, life=life, seed=1, meters=meters, say_every_s=0.05, **more)


async def test_a_fleet_charges_says_so_and_ends_in_good_order(csms, tmp_path):
    csms.scripts["Authorize"] = lambda told: blocked(csms, told)
    meters, said = tmp_path / "meters.json", []
    living = fleet.Fleet(plan(csms, meters))
    running = asyncio.create_task(living.live(said.append))
    await csms.until(lambda: sum(station.history.transactions_ended for station in living.stations) >= 6)
    await csms.until(lambda: any(station.history.drivers_refused for station in living.stations))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {station.config.version for station in living.stations} == {"1.6", "2.0.1", "2.1"}
    assert all(entry.ended_at for station in living.stations for entry in station.history.transactions)
    assert "of 6 stations online" in said[-1]
    assert "kWh" in said[-1]
    registers = json.loads(meters.read_text())
    assert list(registers) == fleet.station_ids(6)
    assert fleet.Fleet(plan(csms, meters)).stations[0].state.evses[1].register_wh == registers["SIM-01"]


def test_some_connect_over_TLS_with_a_password_or_a_certificate(csms, tmp_path):
    root, url = tmp_path / "root.pem", "wss://127.0.0.1/ocpp"
    secure = {
        "SIM-01": fleet.SecureConnection(url, Tls(root)),
        "SIM-02": fleet.SecureConnection(url, Tls(root, tmp_path / "station.pem")),
    }
    configs = [station.config for station in fleet.Fleet(plan(csms, secure=secure)).stations[:3]]
    assert [(config.url, config.password) for config in configs] == [(url, "secret"), (url, None), (csms.url, "secret")]
    assert [config.tls for config in configs] == [secure["SIM-01"].tls, secure["SIM-02"].tls, None]


async def test_a_password_that_a_station_was_told_is_kept_for_its_next_life(csms):
    kept = {}
    living = fleet.Fleet(plan(csms, keep_passwords=kept.update))
    running = asyncio.create_task(living.live(lambda _said: None))
    await csms.until(lambda: living.stations[0].online)
    living.stations[0].state.settings.put(Setting.PASSWORD, "another")
    await csms.until(lambda: kept)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert kept == {"SIM-01": "another"}


def blocked(csms, told):
    if "BLOCKED" in str(told) or "LOST" in str(told):
        return {"idTagInfo": {"status": "Blocked"}} if "idTag" in told else {"idTokenInfo": {"status": "Blocked"}}
    return csms.usual("Authorize", told)


async def test_a_station_that_fails_ends_the_fleet_loudly(csms):
    living = fleet.Fleet(replace(plan(csms), life=fleet.Life(speed=1)))

    def bug(*_args):
        raise ZeroDivisionError

    living.stations[0]._answering.respond = bug
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(180), asyncio.TaskGroup() as tasks:
            tasks.create_task(living.live(lambda _line: None))
            await csms.until(lambda: len(csms.seen("BootNotification")) >= 6)
            for socket in csms.sockets:
                await socket.send('[2,"x","ClearCache",{}]')
    assert caught.group_contains(ZeroDivisionError)


def test_a_day_has_a_rush_hour_and_a_night():
    for outlet in (AC, DC):
        rates = [arrivals.arrivals_per_hour(outlet, hour) for hour in range(24)]
        assert len(rates) == 24
        assert max(rates[7:20]) > 5 * max(rates[0:4])


def test_visits_are_the_same_for_the_same_seed_and_shorter_at_fast_outlets():
    first = [arrivals.any_visit(random.Random(7), 1, AC, DRIVERS.pick(random.Random(7), ())) for _ in range(2)]
    assert first[0] == first[1]
    rng = random.Random(1)
    slow = [arrivals.any_visit(rng, 1, AC, DRIVERS.pick(rng, ())).stay_s for _ in range(200)]
    fast = [arrivals.any_visit(rng, 1, DC, DRIVERS.pick(rng, ())).stay_s for _ in range(200)]
    assert sum(slow) > 3 * sum(fast)


def test_drivers_come_with_good_doubtful_and_unknown_tokens():
    rng = random.Random(1)
    seen = {DRIVERS.pick(rng, {"ALICE"}).text for _ in range(500)}
    assert {"BOB", "BLOCKED"} <= seen
    assert any(text.startswith("LOST") for text in seen)
    assert "ALICE" not in seen
    assert max(map(len, seen)) <= 20
