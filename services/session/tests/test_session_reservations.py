"""Reservations on a real database: over HTTP, by what stations answer and tell, and as time goes on."""

from datetime import timedelta

import msgspec
import pytest
from chargebus_events import public
from chargebus_events.commands import CommandRequested
from chargebus_events.registry import Rating, RegisteredStation, removed
from chargebus_events.topics import COMMANDS
from chargebus_runtime.http import Role
from chargebus_session.main import router
from chargebus_session.settings import SessionSettings
from chargebus_testkit.http import Anyone, http_client

ACCEPTED, REJECTED = b'{"status":"Accepted"}', b'{"status":"Rejected"}'
WANTED = {"station_id": "CS1", "evse_id": 1, "id_token": "good", "expires_at": "2025-06-01T13:00:00Z"}


@pytest.fixture
async def http(service):
    settings = SessionSettings(remote_ttl_s=5.0, bulk_tokens=5)
    routes = router(service.database, service.commanding, service.reservations, settings)
    async with http_client({"/v1": routes}, Anyone(Role.OPERATOR)) as client:
        yield client


@pytest.fixture
async def known(service):
    """Have a station of two EVSEs, one with CCS, be known."""
    ratings = (Rating(1, 1, connector_type="cCCS2"), Rating(2, 1, connector_type="cType2"))
    station = RegisteredStation("CS1", "accepted", "", service.now, reported_ratings=ratings)
    statuses = [public.ConnectorStatus("CS1", service.now, evse, 1, "Available") for evse in (1, 2)]
    await service.apply(
        service.received(station.record()), *(told(service, public.CONNECTOR_STATUS, each) for each in statuses)
    )


def told(service, kind, body):
    return service.received(public.event(kind, f"e{service.offset}", "/device", service.now, body))


async def commands(service):
    return [
        msgspec.json.decode(record.value, type=CommandRequested)
        for record in await service.settled()
        if record.topic == COMMANDS
    ]


@pytest.fixture
def answer(service):
    """Have the station answer the newest command with a payload, or otherwise."""

    async def end(payload=ACCEPTED, **more):
        newest = (await commands(service))[-1]
        told = {"payload": msgspec.Raw(payload)} if payload else {}
        await service.apply(
            service.outcome(newest.command_id, intent=newest.intent, subject=newest.subject, **told, **more)
        )
        return newest

    return end


@pytest.fixture
def reserve(http, answer, known):
    """Reserve, and have the station say yes; return the id."""

    async def make(**more):
        made = await http.post("/v1/reservations", json=WANTED | more)
        assert made.status_code == 202, made.text
        await answer()
        return made.json()["reservation_id"]

    return make


@pytest.fixture
def shown(http):
    async def state(reservation_id):
        found = (await http.get(f"/v1/reservations/{reservation_id}")).json()
        return found["state"], found["reason"]

    return state


def problem(response):
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["title"]


async def test_a_reservation_is_asked_for_in_the_words_of_every_version(http, service, known, answer, shown):
    made = await http.post("/v1/reservations", json=WANTED)

    assert (made.status_code, made.json()["state"]) == (202, "asked")
    assert made.headers["location"] == f"/v1/reservations/{made.json()['reservation_id']}"
    command = await answer()
    assert {version for form in command.forms for version in form.versions} == {"1.6", "2.0.1", "2.1"}
    assert await shown(made.json()["reservation_id"]) == ("reserved", "")
    at_station = (await http.get("/v1/stations/CS1/reservations")).json()
    assert [(each["evse_id"], each["connector_types"], each["statuses"]) for each in at_station["evses"]] == [
        (1, ["cccs2"], ["Available"]),
        (2, ["ctype2"], ["Available"]),
    ]
    assert at_station["evses"][0]["reservation_id"] == made.json()["reservation_id"]
    assert [each["id_token"] for each in at_station["reservations"]] == ["GOOD"]


async def test_the_same_key_is_the_same_reservation_and_another_body_is_refused(http, service, known):
    key = {"Idempotency-Key": "k1"}
    made = [await http.post("/v1/reservations", json=WANTED, headers=key) for _ in range(2)]

    assert made[0].json()["reservation_id"] == made[1].json()["reservation_id"]
    assert len(await commands(service)) == 1
    other = await http.post("/v1/reservations", json=WANTED | {"evse_id": 2}, headers=key)
    assert problem(other) == (422, "the idempotency key was used before")


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"station_id": "NOBODY"}, (404, "no such station")),
        ({"evse_id": 3}, (404, "no such EVSE")),
        ({"evse_id": 0}, (422, "invalid request")),
        ({"connector_type": "cType2"}, (404, "no such EVSE")),
        ({"connector_type": "c" * 21}, (422, "invalid request")),
        ({"expires_at": "2025-06-01T12:00:00Z"}, (422, "the reservation is over")),
        ({"id_token": "nobody"}, (422, "token unknown")),
        ({"id_token": "t" * 256}, (422, "invalid request")),
        ({"id_token": "blocked"}, (409, "token refused")),
        ({"id_token": "expired"}, (409, "token refused")),
        ({"group_id": "STRANGERS"}, (422, "token unknown")),
        ({"group_id": "g" * 37}, (422, "invalid request")),
        ({"id_token": None}, (422, "invalid request")),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_asked(http, service, known, change, refusal):
    assert problem(await http.post("/v1/reservations", json=WANTED | change)) == refusal
    assert await commands(service) == []


async def test_a_group_is_stood_for_by_a_token_of_its_own(http, service, known):
    made = await http.post("/v1/reservations", json=WANTED | {"id_token": None, "group_id": "FAMILY"})
    assert (made.json()["id_token"], made.json()["group_id"]) == ("GOOD", "FAMILY")


async def test_conflicts_are_refused_with_their_reason(http, reserve):
    await reserve()
    same = await http.post("/v1/reservations", json=WANTED | {"id_token": "card"})
    assert (problem(same), "EVSE 1 is reserved until" in same.json()["detail"]) == ((409, "reserved"), True)
    of_type = await http.post("/v1/reservations", json=WANTED | {"evse_id": None, "connector_type": "cCCS2"})
    assert problem(of_type) == (409, "reserved")
    await reserve(evse_id=None, id_token="card")
    full = await http.post("/v1/reservations", json=WANTED | {"evse_id": None})
    assert (problem(full), "No EVSE is left" in full.json()["detail"]) == ((409, "reserved"), True)


async def test_one_that_is_over_is_in_nobodys_way_though_nobody_swept_it(http, service, reserve, shown):
    first = await reserve()
    await service.database.pool.execute("UPDATE reservation SET expires_at = $1", service.now)
    await reserve()
    assert await shown(first) == ("expired", "time")


async def test_lists_are_filtered_and_paged(http, reserve):
    made = [await reserve(), await reserve(evse_id=2, id_token="card")]
    found = (await http.get("/v1/reservations?limit=1")).json()
    assert [each["reservation_id"] for each in found["items"]] == [made[1]]
    found = (await http.get("/v1/reservations", params={"cursor": found["next"]})).json()
    assert ([each["reservation_id"] for each in found["items"]], found["next"]) == ([made[0]], None)
    for query, expected in (
        ("station_id=CS1&evse_id=2", [made[1]]),
        ("id_token=GOOD", [made[0]]),
        ("group_id=NONE", []),
        ("state=reserved&state=used", made[::-1]),
        ("state=used", []),
    ):
        found = (await http.get(f"/v1/reservations?{query}")).json()
        assert [each["reservation_id"] for each in found["items"]] == expected, query
    assert problem(await http.get("/v1/reservations/4711")) == (404, "no such reservation")
    assert problem(await http.get("/v1/stations/NOBODY/reservations")) == (404, "no such station")


async def test_H02_one_is_cancelled_once_and_stays_to_be_seen(http, service, reserve, answer, shown):
    reservation_id = await reserve()
    for _ in range(2):
        cancelling = await http.delete(f"/v1/reservations/{reservation_id}")
        assert (cancelling.status_code, cancelling.json()["cancelling"]) == (202, True)
    command = await answer(REJECTED)
    assert [form.action for form in command.forms] == ["CancelReservation"]
    assert len(await commands(service)) == 2
    assert await shown(reservation_id) == ("cancelled", "operator")
    assert problem(await http.delete(f"/v1/reservations/{reservation_id}")) == (409, "reservation ended")
    assert problem(await http.delete("/v1/reservations/4711")) == (404, "no such reservation")


async def test_one_that_is_cancelled_before_its_station_answered_is_cancelled_after(
    http, service, known, answer, shown
):
    made = (await http.post("/v1/reservations", json=WANTED)).json()["reservation_id"]
    assert (await http.delete(f"/v1/reservations/{made}")).json()["state"] == "asked"
    await answer()
    await service.reservations.sweep()
    await answer()
    assert [command.intent for command in await commands(service)] == ["reserve", "cancel_reservation"]
    assert await shown(made) == ("cancelled", "operator")


async def test_silence_is_asked_again_and_ends_with_the_time(http, service, known, answer, shown):
    made = (await http.post("/v1/reservations", json=WANTED)).json()["reservation_id"]
    await answer(None, outcome="timed_out")
    assert await shown(made) == ("unknown", "timed_out")
    await service.reservations.sweep()
    assert len(await commands(service)) == 1
    await service.database.pool.execute("UPDATE reservation SET due_at = $1", service.now)
    await service.reservations.sweep()
    again = await answer()
    assert (again.intent, again.subject, await shown(made)) == ("reserve", str(made), ("reserved", ""))
    await service.database.pool.execute("UPDATE reservation SET expires_at = $1, due_at = $1", service.now)
    await service.reservations.sweep()
    assert await shown(made) == ("expired", "time")


@pytest.mark.parametrize("change", ["blocked = true", "expires_at = now() - interval '30 years'"])
async def test_a_token_that_may_not_charge_any_more_keeps_no_evse(service, reserve, answer, shown, change):
    made = await reserve()
    await service.reservations.sweep()
    assert len(await commands(service)) == 1
    await service.database.pool.execute(f"UPDATE token SET {change} WHERE token_key = 'good'")
    await service.reservations.sweep()
    await service.reservations.sweep()
    assert [command.intent for command in await commands(service)] == ["reserve", "cancel_reservation"]
    await answer()
    assert await shown(made) == ("cancelled", "token_refused")


async def test_after_a_boot_it_is_set_anew(service, reserve, answer, shown):
    made = await reserve()
    later = service.now + timedelta(seconds=1)
    await service.apply(told(service, public.STATION_BOOTED, public.StationBooted("CS1", later, "pending", "1.6")))
    assert await shown(made) == ("reserved", "")
    await service.apply(told(service, public.STATION_BOOTED, public.StationBooted("CS1", later, "accepted", "1.6")))
    assert await shown(made) == ("unknown", "boot")
    await service.reservations.sweep()
    again = await answer()
    assert (again.intent, again.subject, await shown(made)) == ("reserve", str(made), ("reserved", ""))


async def test_what_is_reserved_at_a_station_that_is_removed_is_over(http, service, reserve, shown):
    made = await reserve()
    await service.apply(service.received(removed("CS1")))
    assert await shown(made) == ("removed", "station_removed")
    assert problem(await http.post("/v1/reservations", json=WANTED)) == (404, "no such station")


async def test_H04_its_station_and_no_other_tells_its_end(service, reserve, shown):
    made = await reserve()
    gone = {"reservationId": made, "reservationUpdateStatus": "Removed"}
    await service.apply(service.frame("ReservationStatusUpdate", gone, "2.0.1", "CS2", expects=False))
    assert await shown(made) == ("reserved", "")
    await service.apply(service.frame("ReservationStatusUpdate", gone, "2.0.1", expects=False))
    assert await shown(made) == ("removed", "Removed")


START = {"connectorId": 1, "idTag": "good", "meterStart": 7, "timestamp": "2025-06-01T12:00:00Z"}
EVENT = {"eventType": "Started", "timestamp": "2025-06-01T12:00:00Z", "triggerReason": "Authorized", "seqNo": 0,
         "transactionInfo": {"transactionId": "tx-1"}, "evse": {"id": 1},
         "idToken": {"idToken": "good", "type": "Central"}}  # fmt: skip


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize("named", [True, False])
async def test_H03_a_transaction_uses_it(service, reserve, shown, version, named):
    made = await reserve()
    action, payload = ("StartTransaction", START) if version == "1.6" else ("TransactionEvent", EVENT)
    await service.apply(service.frame(action, payload | ({"reservationId": made} if named else {}), version))
    assert await shown(made) == ("used", "reservation_id" if named else "id_token")
    used = await service.rows("SELECT session_id FROM reservation")
    assert used == await service.rows("SELECT session_id::text FROM charging_session")


async def test_H03_one_of_the_group_uses_it_and_strangers_do_not(service, reserve, shown):
    made = await reserve(group_id="FAMILY")
    await service.database.pool.execute(
        "UPDATE token SET group_id = 'FAMILY', concurrent = true WHERE token_key = 'single'"
    )
    await service.apply(service.frame("StartTransaction", START | {"idTag": "card"}))
    await service.apply(service.frame("StartTransaction", START | {"connectorId": 2, "idTag": "single"}))
    assert await shown(made) == ("reserved", "")
    await service.apply(service.frame("StartTransaction", START | {"idTag": "single", "meterStart": 9}))
    assert await shown(made) == ("used", "group_id")


async def test_where_nothing_is_reserved_a_transaction_asks_nothing_of_it(service, reserve):
    await reserve()
    await service.apply(service.frame("StartTransaction", START, station_id="CS2"))
    assert not any("FROM reservation AS r" in statement for statement in service.statements)


async def test_a_remote_start_on_a_reserved_evse_is_for_whom_it_is_kept(http, reserve):
    made = await reserve()
    refused = await http.post("/v1/stations/CS1/evses/1/start", json={"id_token": "card"})
    assert (problem(refused), f"reservation {made}" in refused.json()["detail"]) == ((409, "EVSE reserved"), True)
    assert (await http.post("/v1/stations/CS1/evses/1/start", json={"id_token": "good"})).status_code == 202
    assert (await http.post("/v1/stations/CS1/evses/2/start", json={"id_token": "card"})).status_code == 202


async def test_two_copies_never_carry_out_the_same(service, reserve):
    made = await reserve()
    await service.database.pool.execute("UPDATE reservation SET state = 'unknown', due_at = $1", service.now)
    async with service.database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM reservation WHERE reservation_id = $1 FOR UPDATE", made)
        await service.reservations.sweep()
        assert len(await commands(service)) == 1
    await service.reservations.sweep()
    assert len(await commands(service)) == 2
