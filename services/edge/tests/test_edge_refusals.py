"""What is told of refused connections and of certificates that run out."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from chargebus_edge.log.expiries import Expiries, Watched
from chargebus_edge.log.refusals import MOST, Refusals
from chargebus_events.topics import SECURITY_EVENTS
from websockets.exceptions import InvalidStatus

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def clock():
    return [NOW]


@pytest.fixture
def posted():
    return []


@pytest.fixture
def refusals(clock, posted):
    return Refusals("/edge/3", lambda: clock[0], posted.append)


def bodies(posted):
    assert {record.topic for record in posted} <= {SECURITY_EVENTS}
    return [msgspec.json.decode(record.value) for record in posted]


def test_refusals_of_a_station_are_added_up_by_reason_until_they_are_told(refusals, clock, posted):
    refusals.note("wrong password", "CP1", "192.0.2.1")
    clock[0] += timedelta(seconds=5)
    refusals.note("wrong user", "CP1", "192.0.2.1")
    refusals.note("certificate revoked", "CP1", "192.0.2.2")
    refusals.tell()
    password, certificate = bodies(posted)
    assert (password["reason"], password["count"], password["station_id"]) == ("bad_password", 2, "CP1")
    assert (password["address"], password["detail"]) == ("192.0.2.1", "wrong user")
    assert (password["first_at"], password["last_at"]) == ("2026-11-30T12:00:00Z", "2026-11-30T12:00:05Z")
    assert (certificate["reason"], certificate["count"]) == ("bad_certificate", 1)
    assert [record.key for record in posted] == ["CP1", "CP1"]
    refusals.tell()
    assert len(posted) == 2


def test_a_station_that_is_tried_from_several_addresses_has_none(refusals, posted):
    refusals.note("wrong password", "CP1", "192.0.2.1")
    refusals.note("wrong password", "CP1", "192.0.2.2")
    refusals.tell()
    (body,) = bodies(posted)
    assert (body["count"], "address" in body) == (2, False)


def test_without_a_known_station_they_are_added_up_by_address(refusals, posted):
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        refusals.note("unknown authority", "", address)
    refusals.tell()
    assert [(body["address"], body["count"]) for body in bodies(posted)] == [("192.0.2.1", 2), ("192.0.2.2", 1)]
    assert [record.key for record in posted] == ["192.0.2.1", "192.0.2.2"]


def test_a_flood_of_addresses_is_bounded_and_loses_no_count(refusals, posted):
    for number in range(MOST + 500):
        refusals.note("no TLS", "", f"2001:db8::{number:x}")
    refusals.tell()
    told = bodies(posted)
    assert len(told) == MOST + 1
    assert sum(body["count"] for body in told) == MOST + 500
    assert "address" not in told[-1]


@pytest.mark.parametrize(
    "reason",
    [
        "dark",
        "full",
        "draining",
        "password checks full",
        "no subprotocol",
        "no subprotocol, not registered",
        "handshake broken off",
        "revocation unknown",
    ],
)
def test_what_is_only_for_a_while_is_no_matter_of_security(refusals, posted, reason):
    refusals.note(reason, "CP1", "192.0.2.1")
    refusals.tell()
    assert posted == []


async def test_an_edge_tells_what_it_refused_and_whose_name_was_used(run_edge):
    async with run_edge() as edge:
        edge.register("CP1")
        for station_id, password in (("CP1", "wrong"), ("CP1", "wrong"), ("CP9", "wrong")):
            with pytest.raises(InvalidStatus):
                await edge.connect(station_id, password=password)
    # what is left is told when it ends
    told = sorted(bodies(edge.kafka.log[SECURITY_EVENTS]), key=lambda body: body["reason"])
    assert [(body["reason"], body["count"], body.get("station_id")) for body in told] == [
        ("bad_password", 2, "CP1"),
        ("unknown_station", 1, None),
    ]
    assert {body["address"] for body in told} == {"127.0.0.1"}


# Certificates


def watched(name, expires_at):
    return Watched(name, "server", "CN=csms.example", "CN=a root", "0a", expires_at)


def test_a_certificate_is_told_of_before_it_expires_each_day_and_when_it_is_replaced(clock, posted):
    used = [watched("old", NOW + 30 * DAY), watched("another", NOW + 300 * DAY)]
    expiries = Expiries(lambda: used, 14 * DAY, "/edge/3", lambda: clock[0], posted.append)
    expiries.look()
    assert posted == []
    clock[0] += 16 * DAY
    expiries.look()
    expiries.look()
    assert len(posted) == 1
    clock[0] += DAY
    expiries.look()
    assert len(posted) == 2
    used[0] = watched("new", NOW + 400 * DAY)
    expiries.look()
    expiries.look()
    told = bodies(posted)
    assert [(body["certificate_id"], body.get("replaced", False)) for body in told] == [
        ("old", False),
        ("old", False),
        ("old", True),
    ]
    assert told[0]["kind"] == "server"
    assert told[0]["expires_at"] == "2026-12-30T12:00:00Z"
    assert {record.key for record in posted} == {"old"}
    assert len({dict(record.headers)["ce_id"] for record in posted}) == 3
