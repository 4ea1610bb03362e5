"""The largest power of a place: what is registered, what is reported, and how a batch holds sessions to it."""

from datetime import timedelta

import pytest
from chargebus_events.registry import DeviationRules, Rating, RegisteredStation, removed
from chargebus_session.transactions.domain.power import ABOVE_RATING, Place, limit_at, power_limits

AC_11_KW = Rating(1, max_power_w=11_000)


def limit(evse_id, connector_id, registered=(), reported=()):
    """The largest power of a place, without what may be above a rating."""
    limits = {each.place: each.max_power_w for each in power_limits("CS1", registered, reported)}
    found = limit_at(limits, Place("CS1", evse_id, connector_id))
    return None if found is None else round(found / ABOVE_RATING)


def test_nothing_is_known_of_what_nobody_tells():
    assert limit(1, 1) is None
    assert limit(2, 1, [AC_11_KW]) is None


@pytest.mark.parametrize("connector_id", [0, 1, 7])
def test_a_rating_of_an_evse_is_that_of_its_connectors(connector_id):
    assert limit(1, connector_id, [AC_11_KW]) == 11_000


def test_a_rating_of_evse_0_is_that_of_all_that_have_none():
    ratings = [Rating(0, max_power_w=22_000), AC_11_KW]
    assert (limit(1, 1, ratings), limit(2, 1, ratings)) == (11_000, 22_000)


def test_a_connector_gives_no_more_than_its_type_and_its_evse():
    evse = Rating(1, max_power_w=150_000)
    connectors = [Rating(1, 1, connector_type="cCCS2"), Rating(1, 2, connector_type="sType2")]
    assert [limit(1, each, reported=[evse, *connectors]) for each in (0, 1, 2)] == [150_000, 150_000, 43_650]


def test_an_evse_gives_no_more_than_the_strongest_of_its_connectors_where_all_are_known():
    known = [Rating(1, 1, connector_type="sType2"), Rating(1, 2, connector_type="sCEE-7-7")]
    unknown = Rating(1, 3, connector_type="Other3Ph")
    assert limit(1, 0, reported=known) == 43_650
    assert limit(1, 0, reported=[*known, unknown]) is None
    assert limit(1, 2, reported=[*known, unknown]) == 3_680


@pytest.mark.parametrize(("phases", "power_w"), [(1, 18_400), (3, 43_650), (None, 43_650)])
def test_phases_of_an_evse_are_those_of_its_connectors(phases, power_w):
    assert limit(1, 1, reported=[Rating(1, phases=phases), Rating(1, 1, connector_type="sType2")]) == power_w


def test_what_is_registered_goes_before_what_is_reported():
    reported = [Rating(1, max_power_w=22_000), Rating(2, max_power_w=22_000)]
    assert [limit(each, 1, [AC_11_KW], reported) for each in (1, 2)] == [11_000, 22_000]
    assert [limit(each, 1, [Rating(0, max_power_w=350_000)], reported) for each in (1, 2)] == [350_000, 350_000]


@pytest.fixture
def told(service):
    """Let the service hear a station's record: `await told(ratings=[…])`."""

    async def hear(station_id="CS1", **ratings):
        station = RegisteredStation(station_id, "accepted", "", service.now, **ratings)
        return await service.apply(service.received(station.record()))

    return hear


def start(connector_id=1, at="2025-06-01T11:00:00Z"):
    return {"connectorId": connector_id, "idTag": "good", "meterStart": 0, "timestamp": at}


async def charged(service, wh, connector_id=1, hour=11):
    """Charge for an hour over 1.6; return energy and flags."""
    begin, end = (f"2025-06-01T{each:02}:00:00Z" for each in (hour, hour + 1))
    started = await service.apply(service.frame("StartTransaction", start(connector_id, begin)))
    stop = {"transactionId": started.answers[0]["transactionId"], "meterStop": wh, "timestamp": end}
    ended = await service.apply(service.frame("StopTransaction", stop))
    event = ended.events[-1][1]
    return event.energy_wh, event.flags


async def test_a_session_is_held_to_what_its_evse_is_registered_for(service, told):
    await told(ratings=(AC_11_KW,))

    assert await charged(service, 100_000) == (None, ("energy_implausible",))
    assert await charged(service, 11_500, hour=9) == (11_500, ())
    assert await charged(service, 100_000, connector_id=2) == (100_000, ())


async def test_a_session_may_take_more_than_the_setting_where_its_evse_gives_more(service, told):
    assert await charged(service, 2_000_000) == (None, ("energy_implausible",))
    await told(reported_ratings=(Rating(1, 1, connector_type="cMCS"),))

    assert await charged(service, 2_000_000, hour=9) == (2_000_000, ())


async def test_what_is_said_no_more_of_a_station_holds_no_more(service, told):
    await told(ratings=(AC_11_KW, Rating(2, max_power_w=22_000)))
    await told(ratings=(Rating(2, max_power_w=11_000),))
    assert await service.rows("SELECT evse_id, max_power_w FROM power_limit") == [(2, 11_000 * ABOVE_RATING)]

    await service.apply(service.received(removed("CS1")))
    assert await service.rows("SELECT * FROM power_limit") == []


async def test_other_records_of_the_registry_are_no_stations(service):
    await service.apply(service.received(DeviationRules(service.now).record()))
    assert await service.rows("SELECT * FROM power_limit") == []


async def test_a_session_is_held_to_its_place_once_that_is_told_in_whatever_order(service, told):
    await told(ratings=(AC_11_KW,))

    def event(kind, number, wh, **more):
        at = (service.now - timedelta(hours=1) + timedelta(minutes=number * 10)).isoformat()
        value = {
            "value": wh,
            "context": {"Started": "Transaction.Begin", "Ended": "Transaction.End"}.get(kind, "Other"),
        }
        body = {"eventType": kind, "timestamp": at, "triggerReason": "Trigger", "seqNo": number}
        values = [{"timestamp": at, "sampledValue": [value]}]
        return service.frame(
            "TransactionEvent",
            body | {"transactionInfo": {"transactionId": "t"}, "meterValue": values} | more,
            version="2.0.1",
        )

    started = event("Started", 0, 0, evse={"id": 1, "connectorId": 1})
    ended = event("Ended", 2, 100_000)
    await service.apply(ended)
    assert await service.rows("SELECT energy_wh, flags FROM charging_session") != [(None, ["energy_implausible"])]
    await service.apply(started)

    assert await service.rows("SELECT energy_wh, flags FROM charging_session") == [(None, ["energy_implausible"])]
