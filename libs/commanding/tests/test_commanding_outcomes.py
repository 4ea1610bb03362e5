"""What comes of a command: typed, once, to the row of its intent and to who waits for it."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from chargebus_commanding import Asked, Commanding
from chargebus_commanding.http import tell
from chargebus_events.record import Record
from chargebus_testkit.waiting import eventually
from fastapi import Response

RAW = msgspec.Raw


async def test_an_outcome_goes_to_the_row_of_its_intent_typed(asking):
    asked = await asking.ask(subject="row-7")
    answer = RAW(b'{"status":"Rejected","statusInfo":{"reasonCode":"Busy","additionalInfo":"come back"}}')
    await asking.apply(asking.outcome(asked.command_id, subject="row-7", version="2.1", action="Reset", payload=answer))

    [[outcome]] = asking.told
    assert (outcome.command_id, outcome.subject, outcome.name) == (asked.command_id, "row-7", "answered")
    assert (outcome.version, outcome.action, bytes(outcome.payload)) == ("2.1", "Reset", bytes(answer))
    assert (outcome.status, outcome.status_info, outcome.why) == ("Rejected", "Busy: come back", "Busy: come back")


@pytest.mark.parametrize(
    ("more", "status", "why"),
    [
        ({"payload": RAW(b"[1]"), "error_code": "FormatViolation"}, "", "FormatViolation"),
        ({"payload": RAW(b'{"status":7}')}, "7", ""),
        ({"payload": RAW(b'{"status":"a\\u0000b","statusInfo":"x"}')}, "ab", ""),
        ({"payload": RAW(b"{}")}, "", ""),
        ({"outcome": "refused", "error_code": "NotSupported", "error_description": "no"}, "", "NotSupported: no"),
        ({"outcome": "undeliverable", "reason": "the station is not connected"}, "", "the station is not connected"),
    ],
)
async def test_an_answer_is_read_whatever_the_station_sent(asking, more, status, why):
    asked = await asking.ask()
    await asking.apply(asking.outcome(asked.command_id, **more))

    [[outcome]] = asking.told
    assert (outcome.status, outcome.why) == (status, why)


async def test_a_command_ends_once_however_often_it_is_told(asking):
    asked = await asking.ask()
    await asking.apply(asking.outcome(asked.command_id), asking.outcome(asked.command_id, outcome="expired"))
    await asking.apply(asking.outcome(asked.command_id, outcome="timed_out"))

    assert [[outcome.name for outcome in told] for told in asking.told] == [["answered"]]


async def test_the_outcomes_of_a_batch_come_together_and_strangers_not_at_all(asking):
    asked = [await asking.ask() for _ in range(3)]
    await asking.apply(*(asking.outcome(each.command_id) for each in asked), asking.outcome("stranger"))

    [told] = asking.told
    assert [outcome.command_id for outcome in told] == [each.command_id for each in asked]


async def test_what_an_outcome_causes_is_kept_with_its_partition(asking):
    asking.reply = Record("session.events", "CS-1", b"{}")
    first, second = await asking.ask(), await asking.ask()
    batch = await asking.apply(asking.outcome(first.command_id, 1), asking.outcome(second.command_id, 2))

    assert sorted(batch.outgoing) == [("ocpp.outcomes.session", 1), ("ocpp.outcomes.session", 2)]


async def test_an_intent_that_is_no_more_ends_its_commands_all_the_same(asking, caplog):
    asked = await asking.ask()
    await asking.apply(asking.outcome(asked.command_id, intent="of-before"))

    assert (await asking.commanding.wait(asked, 0)).name == "answered"
    assert "of-before" in caplog.text


async def test_who_waits_is_woken_by_the_outcome(asking, listening):
    asked = await asking.ask()
    waiting = asyncio.create_task(asking.commanding.wait(asked, 30))
    await asyncio.sleep(0)
    await asking.apply(asking.outcome(asked.command_id, payload=RAW(b'{"status":"Accepted"}')))

    outcome = await asyncio.wait_for(waiting, 180)
    assert (outcome.name, outcome.status) == ("answered", "Accepted")


async def test_who_waits_in_vain_gets_nothing(asking):
    assert await asking.commanding.wait(await asking.ask(), 0.01) is None


async def test_the_answer_is_a_link_until_there_is_an_outcome(asking):
    asked = await asking.ask()
    early, late = Response(), Response()
    tell(early, asked, None)
    await asking.apply(asking.outcome(asked.command_id))
    tell(late, asked, await asking.commanding.wait(asked, 0))

    assert (early.status_code, late.status_code) == (202, 200)
    assert early.headers["location"] == late.headers["location"] == f"/v1/commands/{asked.command_id}"


async def test_a_command_of_which_nothing_is_heard_is_given_up(asking):
    asked = await asking.ask(timeout_s=10, ttl_s=60)
    asking.time.pass_s(60 + 10 + 5 + 30 - 0.001)
    await asking.commanding.sweep()
    before = list(asking.told)
    asking.time.pass_s(0.001)
    await asking.commanding.sweep()
    await asking.apply(asking.outcome(asked.command_id))

    assert before == []
    [[outcome]] = asking.told
    assert (outcome.name, outcome.reason) == ("timed_out", "nothing was heard of it")
    assert (await asking.commanding.wait(asked, 0)).name == "timed_out"


async def test_a_command_that_is_being_given_up_by_another_copy_is_left_to_it(asking):
    await asking.ask()
    asking.time.pass_s(1000)
    await asyncio.gather(*(asking.commanding.sweep() for _ in range(3)))

    assert len(asking.told) == 1


async def test_what_ended_long_ago_is_forgotten_and_nothing_else(asking):
    ended, opened = await asking.ask(), await asking.ask(ttl_s=30 * 24 * 3600)
    await asking.apply(asking.outcome(ended.command_id))
    asking.time.now += timedelta(days=8)
    pruning = asyncio.create_task(asking.commanding.tasks[2]())
    async with asyncio.timeout(180):
        while len(await asking.database.pool.fetch("SELECT FROM asked_command")) > 1:
            await asyncio.sleep(0.01)
    pruning.cancel()
    await asyncio.gather(pruning, return_exceptions=True)

    assert await asking.commanding.wait(Asked(opened.command_id, "CS-1", "reset", ""), 0) is None
    assert await asking.database.pool.fetchval("SELECT command_id FROM asked_command") == opened.command_id


async def test_commands_that_end_together_are_locked_in_one_order(asking):
    first, *_, last = asked = sorted([(await asking.ask()).command_id for _ in range(5)])
    async with asking.database.pool.acquire() as holding, holding.transaction():
        await holding.execute("SELECT FROM asked_command WHERE command_id = $1 FOR UPDATE", first)
        pid = await holding.fetchval("SELECT pg_backend_pid()")
        ending = asyncio.create_task(asking.apply(*(asking.outcome(each) for each in reversed(asked))))
        await eventually(  # a transaction would see the same activity for as long as it lasts
            lambda: asking.database.pool.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))", pid
            ),
            lambda blocked: blocked == 1,
            what="the batch waits for the first",
        )
        await holding.execute(
            "SELECT FROM asked_command WHERE command_id = $1 FOR UPDATE NOWAIT", last
        )  # it holds none
    await ending

    assert sorted(outcome.command_id for told in asking.told for outcome in told) == asked


async def test_the_intents_of_a_batch_are_told_in_one_order(asking):
    order = []

    async def note(_tx, outcomes):
        order.append(outcomes[0].intent)

    asking.commanding = Commanding(
        "session", asking.database, dict.fromkeys(("unlock", "reset"), note), asking.clock, asking.sealing
    )
    asked = [(await asking.ask(intent=intent)).command_id for intent in ("unlock", "reset")]
    await asking.apply(
        *(asking.outcome(each, intent=intent) for each, intent in zip(asked, ("unlock", "reset"), strict=True))
    )
    for intent in ("unlock", "reset"):
        await asking.ask(intent=intent)
    asking.time.pass_s(1000)
    await asking.commanding.sweep()

    assert order == ["reset", "unlock"] * 2
