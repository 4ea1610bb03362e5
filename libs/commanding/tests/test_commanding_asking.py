"""Asking for a command: one row, one record, and once under one key."""

import asyncio
from datetime import timedelta

import pytest
from chargebus_commanding import Ask, Commanding, Form, KeyReusedError
from chargebus_commanding.asking import fingerprint
from chargebus_commanding.schema import COMMANDING_TABLES, Tables
from chargebus_runtime.kafka_clock import KafkaClock
from chargebus_runtime.sealing import SealingError
from chargebus_testkit import tables

FORM = Form(("1.6",), "Reset", b'{"type":"Soft"}')


async def test_tables_and_migrations_agree(asking, monkeypatch):
    left = [name for name in tables._NOT_DECLARED if name not in COMMANDING_TABLES]
    monkeypatch.setattr(tables, "_NOT_DECLARED", left)

    assert await tables.table_differences(asking.database.url, Tables.metadata) == []


async def test_who_asks_gives_forms_an_intent_and_a_reference(asking):
    asked = await asking.ask(subject="row-7", timeout_s=9, ttl_s=5, forms=(FORM, Form((), "ClearCache", b"{}")))
    [request] = await asking.requests()

    assert (request.command_id, request.station_id, request.requester) == (asked.command_id, "CS-1", "session")
    assert (request.intent, request.subject, request.timeout_s, request.ttl_s) == ("reset", "row-7", 9, 5)
    assert [(form.versions, form.action, bytes(form.payload)) for form in request.forms] == [
        (("1.6",), "Reset", b'{"type":"Soft"}'),
        ((), "ClearCache", b"{}"),
    ]


def test_a_form_is_made_of_members_in_the_order_of_the_schema():
    form = Form.of(("2.0.1", "2.1"), "RequestStartTransaction", {"remoteStartId": 7, "evseId": None, "idToken": {}})

    assert form == Form(("2.0.1", "2.1"), "RequestStartTransaction", b'{"idToken":{},"remoteStartId":7}')


async def test_nothing_goes_out_of_a_transaction_that_fails(asking):
    with pytest.raises(ZeroDivisionError):
        async with asking.database.transaction() as tx:
            await asking.commanding.ask(tx, Ask("CS-1", "reset", (FORM,)))
            raise ZeroDivisionError

    assert await asking.requests() == []
    assert await asking.database.pool.fetch("SELECT FROM asked_command") == []


async def test_command_is_told_by_kafkas_clock_when_it_was_asked_for(asking, monkeypatch):
    monkeypatch.setattr(KafkaClock, "to_kafka", lambda _clock, at: at - timedelta(seconds=10))
    await asking.ask()

    [request] = await asking.requests()
    assert request.requested_at == asking.time.now - timedelta(seconds=10)


async def test_the_same_under_the_same_key_is_the_same_command(asking):
    first = await asking.ask(idempotency_key="k")
    again = await asking.ask(idempotency_key="k")

    assert (again.command_id, first.again, again.again) == (first.command_id, False, True)
    assert len(await asking.requests()) == 1


async def test_calls_at_the_same_time_under_one_key_make_one_command(asking):
    asked = await asyncio.gather(*(asking.ask(idempotency_key="k") for _ in range(4)))

    assert len({each.command_id for each in asked}) == 1
    assert sorted(each.again for each in asked) == [False, True, True, True]
    assert len(await asking.requests()) == 1


@pytest.mark.parametrize("other", [{"timeout_s": 31}, {"ttl_s": 1}, {"forms": (Form((), "ClearCache", b"{}"),)}])
async def test_something_else_under_the_same_key_is_an_error(asking, other):
    await asking.ask(idempotency_key="k")

    with pytest.raises(KeyReusedError, match="used for another command"):
        await asking.ask(idempotency_key="k", **other)


async def test_a_key_counts_for_its_station(asking):
    first = await asking.ask(idempotency_key="k")
    second = await asking.ask(idempotency_key="k", station_id="CS-2", timeout_s=31)

    assert first.command_id != second.command_id


async def test_what_must_be_equal_may_be_said_as_forms_may_differ_each_time(asking):
    first = await asking.ask(idempotency_key="k", content=("card", 1))
    again = await asking.ask(idempotency_key="k", content=("card", 1), forms=(Form((), "ClearCache", b"{}"),))

    assert again.command_id == first.command_id
    with pytest.raises(KeyReusedError):
        await asking.ask(idempotency_key="k", content=("card", 2))


async def test_what_was_asked_under_a_key_is_found_before_anything_is_prepared(asking):
    first = await asking.ask(idempotency_key="k", content="card")
    async with asking.database.transaction() as tx:
        before = await asking.commanding.asked_before(tx, "CS-1", "k", "reset", "card")
        assert await asking.commanding.asked_before(tx, "CS-1", "other", "reset", "card") is None
        assert await asking.commanding.asked_before(tx, "CS-1", None, "reset", "card") is None
        with pytest.raises(KeyReusedError):
            await asking.commanding.asked_before(tx, "CS-1", "k", "reset", "another card")

    assert (before.command_id, before.again) == (first.command_id, True)


async def test_an_intent_that_nobody_looks_after_is_not_asked_for(asking):
    with pytest.raises(ValueError, match="no intent 'reboot'"):
        await asking.ask(intent="reboot")
    with pytest.raises(ValueError, match="has no form"):
        await asking.ask(forms=())


def test_a_service_that_is_not_declared_to_ask_has_no_topic_for_outcomes(asking):
    with pytest.raises(ValueError, match="not declared"):
        Commanding("nobody", asking.database, {}, asking.clock)


def secret(value: str = "correct-horse-batt") -> Form:
    return Form.of(("1.6",), "ChangeConfiguration", {"key": "AuthorizationKey", "value": value})


async def test_a_secret_is_sealed_for_its_command_until_it_is_given_up(asking):
    asked = await asking.ask(forms=(secret(), FORM), idempotency_key="k")
    [request] = await asking.requests()
    sealed, plain = request.forms
    [row] = await asking.database.pool.fetch("SELECT t::text, given_up_at FROM asked_command AS t")
    context, sealing = sealed.sealed_for(asked.command_id, "CS-1"), asking.sealing

    assert sealing.open(sealed.sealed, context, row["given_up_at"]) == secret().payload
    assert (bytes(sealed.payload), bytes(plain.payload), plain.sealed) == (b"null", FORM.payload, "")
    assert "correct-horse" not in repr(asking.sent.records) + row["t"]
    with pytest.raises(SealingError, match="is over"):
        sealing.open(sealed.sealed, context, row["given_up_at"] + timedelta(seconds=1))


async def test_without_a_key_a_secret_is_not_asked_for(asking):
    asking.commanding = Commanding("session", asking.database, {"reset": asking.note}, asking.clock)

    with pytest.raises(SealingError, match="set SEALING_KEYS") as refused:
        await asking.ask(forms=(secret(),))

    assert "correct-horse" not in str(refused.value)
    assert await asking.requests() == []


async def test_another_secret_under_the_same_key_is_another_command_and_none_can_be_guessed_from_what_is_kept(asking):
    first = await asking.ask(idempotency_key="k", forms=(secret("1234"),))
    again = await asking.ask(idempotency_key="k", forms=(secret("1234"),))
    with pytest.raises(KeyReusedError):
        await asking.ask(idempotency_key="k", forms=(secret("1235"),))
    kept = await asking.database.pool.fetchval("SELECT fingerprint FROM asked_command")

    assert (again.command_id, again.again) == (first.command_id, True)
    assert kept != fingerprint("reset", ((secret("1234"),), 30.0, 0.0))
