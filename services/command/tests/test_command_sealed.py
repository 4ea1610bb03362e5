"""Services ask for commands with secrets: sealed until the station gets them."""

import json
from datetime import timedelta

import msgspec
import pytest
from chargebus_command.payload import UNREADABLE
from chargebus_events.commands import CommandForm, CommandRequested
from chargebus_events.record import Received
from chargebus_events.topics import DOWNLINK
from chargebus_runtime.sealing import Sealing

PASSWORD = "correct-horse-batt"
PAYLOAD = {"key": "AuthorizationKey", "value": PASSWORD}
OURS, OTHER = Sealing([b"k" * 32]), Sealing([b"o" * 32])


def asked(service, command_id="a", sealing=OURS, station_id="CS-1", **more):
    """Return a request of another service; `sealed_for` is the station that it was sealed for."""
    form = CommandForm("ChangeConfiguration", msgspec.Raw(b"null"), ("1.6",))
    context = form.sealed_for(command_id, more.pop("sealed_for", station_id))
    until = service.time() + timedelta(seconds=more.pop("good_for_s", 90))
    sealed = sealing.seal(json.dumps(PAYLOAD).encode(), context, until)
    values = {"requester": "session", "requested_at": service.time(), "ttl_s": 60.0, **more}
    forms = (msgspec.structs.replace(form, sealed=sealed),)
    record = CommandRequested(command_id, station_id, forms=forms, **values).record()
    return Received(record.topic, 0, 0, record.key, record.value, dict(record.headers))


async def dumped(service) -> str:
    """Return all that the database holds."""
    tables = await service.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [row for (table,) in tables for row in await service.fetch(f"SELECT t::text FROM {table} AS t")]
    return "\n".join(text for (text,) in rows)


def down(records):
    return [json.loads(record.value) for record in records if record.topic == DOWNLINK]


async def test_a_sealed_command_goes_to_its_station_in_clear_and_is_nowhere_else(service):
    await service.come_online("CS-1")
    sent = await service.apply(asked(service))
    under_way = await dumped(service)
    ended = await service.apply(service.delivery("CS-1", "a", "answered", payload=msgspec.Raw(b"{}")))

    assert down(sent) == [PAYLOAD]
    assert [(each.outcome, each.action) for each in service.outcomes(ended)] == [("answered", "ChangeConfiguration")]
    assert PASSWORD not in repr(ended) + under_way + await dumped(service)
    [(shown,)] = await service.fetch("SELECT payload FROM command")
    assert json.loads(shown) == {**PAYLOAD, "value": "***"}


async def test_what_waits_for_its_station_waits_sealed_and_may_be_sent_again(service):
    await service.apply(service.registered("CS-1"), asked(service))
    waiting = await dumped(service)
    first = await service.come_online("CS-1")
    await service.apply(service.delivery("CS-1", "a", "undeliverable"))
    again = await service.come_online("CS-1", epoch=8)

    assert PASSWORD not in waiting + await dumped(service)
    assert down(first) == down(again) == [PAYLOAD]


@pytest.mark.parametrize(
    "wrong", [{"sealing": OTHER}, {"sealed_for": "CS-2"}, {"good_for_s": -1}], ids=["key", "station", "time"]
)
async def test_what_cannot_be_opened_ends_and_says_why(service, wrong):
    await service.come_online("CS-1")
    sent = await service.apply(asked(service, **wrong))

    assert down(sent) == []
    assert [(each.outcome, each.reason) for each in service.outcomes(sent)] == [("undeliverable", UNREADABLE)]
    assert await service.fetch("SELECT payload FROM command") == [('"***"',)]


@pytest.mark.parametrize("sealing", [Sealing()])
async def test_without_a_key_a_sealed_command_ends_and_says_which_setting_is_missing(service, sealing):
    await service.come_online("CS-1")
    sent = await service.apply(asked(service))

    assert [each.reason for each in service.outcomes(sent)] == [UNREADABLE]
    assert "SEALING_KEYS of command" in UNREADABLE


@pytest.mark.parametrize("sealing", [Sealing([b"n" * 32, b"k" * 32])], ids=["rotated"])
async def test_what_the_key_before_sealed_is_opened_and_what_waits_is_sealed_by_the_new_one(service, sealing):
    await service.apply(service.registered("CS-1"), asked(service))
    [(kept,)] = await service.fetch("SELECT open_forms FROM command")
    [form] = msgspec.json.decode(kept, type=tuple[CommandForm, ...])
    alone = Sealing([b"n" * 32]).open(form.sealed, form.sealed_for("a", "CS-1"), service.time())

    assert down(await service.come_online("CS-1")) == [json.loads(alone)] == [PAYLOAD]


async def test_one_that_cannot_be_opened_holds_up_no_other(service):
    await service.come_online("CS-1")
    sent = await service.apply(asked(service, "a", OTHER), asked(service, "b"), service.request("CS-2", "c"))

    assert down(sent) == [PAYLOAD]
