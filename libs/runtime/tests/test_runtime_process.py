"""A process is whole or it ends: a start that fails leaves nothing running, and its HTTP server is watched."""

import asyncio

import httpx
import pytest
from chargebus_events.topics import API_KEYS, TOPICS
from chargebus_runtime.process import Process, Service
from chargebus_runtime.settings import RuntimeSettings
from chargebus_runtime.topics import ensure_topics


@pytest.fixture
async def settings(kafka, kafka_connection, unused_tcp_port) -> RuntimeSettings:
    await ensure_topics(kafka_connection, [TOPICS[API_KEYS]], 1)
    return RuntimeSettings(kafka_bootstrap_servers=kafka.bootstrap_servers, http_port=unused_tcp_port)


async def for_ever() -> None:
    await asyncio.Event().wait()


def names(tasks) -> set[str]:
    return {task.get_name() for task in tasks}


async def answers(settings: RuntimeSettings) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(f"http://127.0.0.1:{settings.http_port}/health/live")).status_code == 200
        except httpx.TransportError:
            return False


async def break_down() -> None:
    raise LookupError("not today")


@pytest.mark.parametrize("drain", [for_ever, break_down], ids=["", "what is half started cannot be drained"])
async def test_a_start_that_fails_half_way_leaves_nothing_running(settings, drain, caplog):
    before = asyncio.all_tasks()
    drained = []

    async def note() -> None:
        drained.append("first")

    async def fail() -> None:
        assert await answers(settings)
        raise RuntimeError("the second service cannot start")

    process = Process(settings)
    first = Service("first", tasks=(for_ever,), drain=note)
    second = Service("second", start=fail, drain=break_down if drain is break_down else note)
    third = Service("third", drain=drain)  # was not started, so it is not drained
    with pytest.raises(RuntimeError, match="second service"):
        await asyncio.wait_for(process.start([lambda _: first, lambda _: second, lambda _: third]), 180)

    assert drained[0] == "first"
    assert not await answers(settings)
    assert process.producer._client is None
    await asyncio.sleep(0.1)
    assert names(asyncio.all_tasks() - before) == set()


async def test_a_start_that_is_cancelled_leaves_nothing_running(settings):
    before = asyncio.all_tasks()
    begun = asyncio.Event()

    async def start() -> None:
        begun.set()
        await for_ever()

    process = Process(settings)
    starting = asyncio.create_task(process.start([lambda _: Service("one", start=start, tasks=(for_ever,))]))
    await asyncio.wait_for(begun.wait(), 180)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(starting, 180)

    assert not await answers(settings)
    await asyncio.sleep(0.1)
    assert names(asyncio.all_tasks() - before) == set()


async def test_a_stop_goes_on_after_a_step_that_fails(settings):
    before = asyncio.all_tasks()
    process = Process(settings)
    await process.start([lambda _: Service("one", drain=break_down, tasks=(for_ever,))])
    with pytest.raises(LookupError):
        await process.stop()
    assert not await answers(settings)
    await asyncio.sleep(0.1)
    assert names(asyncio.all_tasks() - before) == set()


@pytest.mark.parametrize("how", ["ends", "fails"])
async def test_a_process_without_its_http_server_ends_and_says_why(settings, caplog, how):
    process = Process(settings)
    await process.start([])
    try:
        server, serving = process._http
        if how == "ends":
            server.should_exit = True
        else:
            serving.cancel()
        await asyncio.wait_for(process.failed.wait(), 180)
    finally:
        await process.stop()
    assert "the HTTP server has ended" in caplog.text


async def test_a_stop_is_no_failure(settings, caplog):
    process = Process(settings)
    await process.start([])
    await process.stop()
    assert not process.failed.is_set()
    assert "the HTTP server has ended" not in caplog.text
