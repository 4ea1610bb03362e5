"""How much was charged: registers that cannot have run so are not billed without a mark."""

import pytest
from chargebus_testkit.raw import v16, v201
from chargebus_testkit.raw.times import ago
from chargebus_testkit.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


def energy(session):
    return session["energy_wh"], session["energy_source"], session["flags"]


@pytest.fixture
def eventually_shown(sessions):
    """Wait until a station's session shows an energy: MeterValues are taken in their own time."""

    async def wait(station, *wanted):
        async def look():
            [session] = await sessions(station)
            return energy(session)

        await eventually(look, lambda shown: shown == wanted, what=f"a session with {wanted}")

    return wait


async def charge(station, *readings_wh, **started):
    """Say a transaction whose readings come ten minutes after another, the last one with its end."""
    last = len(readings_wh) - 1
    for number, wh in enumerate(readings_wh):
        at = ago(10 * (last - number + 1))
        if number == 0:
            await station.call("TransactionEvent", v201.started("t", 0, at, wh, **started))
        elif number == last:
            await station.call("TransactionEvent", v201.ended("t", number, at, wh))
        else:
            await station.call("TransactionEvent", v201.updated("t", number, at, wh))


async def test_a_begin_of_zero_that_no_power_explains(raw_station, ended_sessions):
    async with raw_station("2.0.1") as station:
        await charge(station, 0, 909_948, 910_031, offline=True)

        [session] = await ended_sessions(station)

    assert energy(session) == (83, "readings", ["energy_from_readings", "energy_implausible"])


async def test_a_meter_start_of_zero_that_no_power_explains(raw_station, ended_sessions):
    async with raw_station("1.6") as station:
        started = await station.call("StartTransaction", v16.start(ago(60), 0))
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(5), 4_076_000))

        [session] = await ended_sessions(station)

    assert energy(session) == (None, "", ["energy_implausible"])


@pytest.mark.parametrize(
    ("readings_wh", "energy_wh", "flag"),
    [
        ((1000, 9000, 1001), 8000, "meter_went_back"),
        ((0, 60, 153, 0, 62), 215, "meter_restarted"),
        ((900, 5000, 0), 4100, "meter_went_back"),
        ((998_000, 999_900, 400, 900), 2400, "meter_restarted"),
    ],
)
async def test_a_meter_that_falls_in_the_middle(raw_station, ended_sessions, readings_wh, energy_wh, flag):
    async with raw_station("2.0.1") as station:
        await charge(station, *readings_wh)

        [session] = await ended_sessions(station)

    assert energy(session) == (energy_wh, "readings", ["energy_from_readings", flag])


@pytest.fixture
def learned(system):
    """Wait until `session` knows as many limits of a station: it hears of them in its own time."""

    async def wait(station, count):
        connection = await system.connect("session")
        try:
            query = "SELECT count(*) FROM power_limit WHERE station_id = $1"
            what = f"{count} limits of {station.station_id}"
            await eventually(lambda: connection.fetchval(query, station.station_id), lambda n: n == count, what=what)
        finally:
            await connection.close()

    return wait


async def charge_an_hour(station, ended, evse_id, wh):
    started = await station.call("StartTransaction", v16.start(ago(ended + 60), 0, connector_id=evse_id))
    await station.call("StopTransaction", v16.stop(started["transactionId"], ago(ended), wh))


async def test_an_evse_that_is_registered_for_11_kw_gives_no_100_kwh_in_an_hour(raw_station, learned, ended_sessions):
    async with raw_station("1.6", ratings=[{"evse_id": 1, "max_power_w": 11_000}]) as station:
        await learned(station, 1)
        await charge_an_hour(station, 205, 1, 100_000)
        await charge_an_hour(station, 105, 1, 11_400)
        await charge_an_hour(station, 5, 2, 100_000)

        found = await ended_sessions(station, 3)

    assert sorted(map(energy, found), key=str) == [
        (100_000, "register", []),
        (11_400, "register", []),
        (None, "", ["energy_implausible"]),
    ]


async def test_an_evse_that_reports_what_it_is_built_for_gives_no_more(raw_station, learned, ended_sessions):
    def datum(component, variable, value, evse, **characteristics):
        return {
            "component": {"name": component, "evse": evse},
            "variable": {"name": variable},
            "variableAttribute": [{"value": value, "mutability": "ReadOnly"}],
            "variableCharacteristics": {"dataType": "decimal", "supportsMonitoring": False, **characteristics},
        }

    data = [
        datum("EVSE", "Power", "0", {"id": 1}, unit="W", maxLimit=11_000),
        datum("Connector", "ConnectorType", "sType2", {"id": 2, "connectorId": 1}),
    ]
    report = {"requestId": 1, "generatedAt": ago(1), "seqNo": 0, "reportData": data}
    async with raw_station("2.0.1") as station:
        await station.call("NotifyReport", report)
        await learned(station, 3)
        for evse_id, wh in ((1, 100_000), (2, 45_000), (2, 100_000)):
            name, evse = f"t{evse_id}{wh}", {"id": evse_id, "connectorId": 1}
            await station.call("TransactionEvent", v201.started(name, 0, ago(65), 0, evse=evse))
            await station.call("TransactionEvent", v201.ended(name, 1, ago(5), wh))

        found = await ended_sessions(station, 3)

    assert sorted((each["transaction_id"], *energy(each)) for each in found) == [
        ("t1100000", None, "", ["energy_implausible"]),
        ("t2100000", None, "", ["energy_implausible"]),
        ("t245000", 45_000, "register", []),
    ]


async def test_an_end_without_energy_says_why(raw_station, ended_sessions):
    async with raw_station("1.6") as station:
        await station.call("StopTransaction", v16.stop(4711, ago(5), 5000))

        [session] = await ended_sessions(station)

    assert energy(session) == (None, "", ["energy_unknown"])


async def test_registers_of_phases_add_up(raw_station, ended_sessions):
    def phases(at, *each, context):
        values = [v201.reading(wh, phase=f"L{number}", context=context) for number, wh in enumerate(each, 1)]
        return {"meterValue": [{"timestamp": at, "sampledValue": values}]}

    async with raw_station("2.0.1") as station:
        begin = phases(ago(30), 100, 200, 300, context="Transaction.Begin")
        end = phases(ago(5), 1100, 1200, 1400, context="Transaction.End")
        await station.call("TransactionEvent", v201.started("t", 0, ago(30), None, **begin))
        await station.call("TransactionEvent", v201.ended("t", 1, ago(5), None, **end))

        [session] = await ended_sessions(station)

    assert energy(session) == (3100, "per_phase", ["energy_per_phase"])


async def test_the_register_at_the_outlet_counts_and_not_that_of_the_grid(raw_station, ended_sessions):
    def both(at, outlet_wh, inlet_wh, context):
        places = (("Inlet", inlet_wh), ("Outlet", outlet_wh))
        values = [v201.reading(wh, location=location, context=context) for location, wh in places]
        return {"meterValue": [{"timestamp": at, "sampledValue": values}]}

    async with raw_station("2.0.1") as station:
        begin = both(ago(30), 100, 5_000_000, "Transaction.Begin")
        end = both(ago(5), 2100, 5_002_500, "Transaction.End")
        await station.call("TransactionEvent", v201.started("t", 0, ago(30), None, **begin))
        await station.call("TransactionEvent", v201.ended("t", 1, ago(5), None, **end))

        [session] = await ended_sessions(station)

    assert energy(session) == (2000, "register", [])


async def test_intervals_add_up_where_there_is_no_register(raw_station, ended_sessions):
    def interval(at, wh):
        return {"meterValue": [v201.meter_value(at, wh, measurand="Energy.Active.Import.Interval")]}

    async with raw_station("2.0.1") as station:
        await station.call("TransactionEvent", v201.started("t", 0, ago(30), None))
        await station.call("TransactionEvent", v201.updated("t", 1, ago(20), None, **interval(ago(20), 500)))
        await station.call("TransactionEvent", v201.ended("t", 2, ago(10), None, **interval(ago(10), 400)))

        [session] = await ended_sessions(station)

    assert energy(session) == (900, "intervals", ["energy_from_readings"])


async def test_transaction_data_tells_what_a_lost_start_did_not(raw_station, ended_sessions):
    data = [{"timestamp": ago(30), "sampledValue": [v16.reading(1000, context="Transaction.Begin")]}]

    async with raw_station("1.6") as station:
        await station.call("StopTransaction", v16.stop(4712, ago(5), 5000, transactionData=data))

        [session] = await ended_sessions(station)

    assert energy(session) == (4000, "register", [])


async def test_meter_values_tell_what_a_meter_start_of_zero_did_not(raw_station, eventually_shown):
    async with raw_station("1.6") as station:
        started = await station.call("StartTransaction", v16.start(ago(60), 0))
        for minutes, wh in ((50, 4_075_900), (30, 4_075_950), (10, 4_075_990)):
            await station.call("MeterValues", v16.meter_values(ago(minutes), wh, started["transactionId"]))
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(5), 4_076_000))

        await eventually_shown(station, 100, "readings", ["energy_from_readings", "energy_implausible"])


async def test_a_late_reading_that_contradicts_the_end_is_never_silent(raw_station, ended_sessions, eventually_shown):
    async with raw_station("1.6") as station:
        started = await station.call("StartTransaction", v16.start(ago(60), 1000))
        await station.call("StopTransaction", v16.stop(started["transactionId"], ago(5), 2000))
        [settled] = await ended_sessions(station)
        assert energy(settled) == (1000, "register", [])
        await station.call("MeterValues", v16.meter_values(ago(30), 1400, started["transactionId"]))
        await station.call("MeterValues", v16.meter_values(ago(20), 2500, started["transactionId"]))

        await eventually_shown(station, 1500, "readings", ["energy_from_readings", "meter_went_back", "settled_anew"])


async def test_meter_values_of_an_evse_count_where_its_transaction_tells_nothing(raw_station, eventually_shown):
    async with raw_station("2.0.1") as station:
        await station.call("TransactionEvent", v201.started("t", 0, ago(30), None))
        await station.call("MeterValues", v201.meter_values(ago(25), 1000))
        await station.call("MeterValues", v201.meter_values(ago(10), 3000))
        await eventually_shown(station, 2000, "register", [])
        await station.call("TransactionEvent", v201.ended("t", 1, ago(5), None))

        await eventually_shown(station, 2000, "readings", ["energy_from_readings"])
