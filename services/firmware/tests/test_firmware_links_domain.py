"""Links, ranges and rates, as plain values."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from chargebus_firmware.links.api import multipart
from chargebus_firmware.links.domain.link import Link, path, plain_name, token_hash, token_of
from chargebus_firmware.links.domain.pace import Allowance
from chargebus_firmware.links.domain.ranges import Bytes, UnsatisfiableError, wanted_bytes
from chargebus_firmware.links.errors import BrokenOffError, TooManyTransfersError
from chargebus_firmware.links.operations.transfers import MOST_OF_LINK, Limits, Transfers

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def link(**more) -> Link:
    return Link(token_hash("t"), "CS-1", "image", "i-1", "a.bin", NOW, NOW + timedelta(hours=1), **more)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None),
        ("bytes=0-0", Bytes(0, 1)),
        ("bytes=10-", Bytes(10, 100)),
        ("bytes = 10 - 19", Bytes(10, 20)),
        ("bytes=90-400", Bytes(90, 100)),
        ("bytes=-5", Bytes(95, 100)),
        ("bytes=-500", Bytes(0, 100)),
        ("bytes=0-1,5-6", None),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("bytes=a-b", None),
    ],
)
def test_a_range_is_the_bytes_that_it_names_and_what_is_none_is_ignored(header, wanted):
    assert wanted_bytes(header, 100) == wanted


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_past_the_end_cannot_be_satisfied(header):
    with pytest.raises(UnsatisfiableError):
        wanted_bytes(header, 100)


def test_of_nothing_no_range_can_be_satisfied():
    for header in ("bytes=0-", "bytes=-1"):
        with pytest.raises(UnsatisfiableError):
            wanted_bytes(header, 0)


def test_bytes_go_as_fast_as_they_may_after_a_burst():
    allowance = Allowance(1000, at=0.0)

    assert allowance.take(500, now=1.0) == 0
    assert allowance.take(500, now=1.0) == 0
    assert allowance.take(2000, now=1.0) == 2.0
    assert allowance.take(1000, now=3.0) == 1.0
    assert allowance.take(1000, now=100.0) == 0, "what was not used for long is one second's"
    assert allowance.take(1000, now=100.0) == 1.0


def test_one_link_leaves_room_for_the_others():
    transfers = Transfers(Limits(transfers=100, link_bytes_per_s=1, all_bytes_per_s=1))
    with ExitStack() as running:
        for _ in range(MOST_OF_LINK):
            running.enter_context(transfers.one(link()))
        with pytest.raises(TooManyTransfersError), transfers.one(link()):
            pass
        with transfers.one(replace(link(), token_hash=b"another")):
            assert transfers.running == MOST_OF_LINK + 1
    with transfers.one(link()):
        assert transfers.running == 1


async def test_a_form_whose_file_does_not_begin_is_not_waited_for(monkeypatch):
    async def never() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        await asyncio.Event().wait()

    async def endless() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\n'
        while True:
            yield bytes(100_000)

    with pytest.raises(BrokenOffError, match="too much"):
        await multipart.first_file(endless(), b"x", "a")
    monkeypatch.setattr(multipart, "_BEGINS_WITHIN_S", 0.05)
    with pytest.raises(BrokenOffError, match="within"):
        await multipart.first_file(never(), b"x", "a")


def test_a_link_is_over_at_its_end():
    assert not link().is_over(NOW)
    assert link().is_over(NOW + timedelta(hours=1))


def test_the_token_is_found_whatever_name_a_station_adds():
    assert token_of(path("abc", "fw 1.bin")) == "abc"
    assert token_of("/files/abc") == "abc"
    assert token_of("/files/abc/logs/today.zip") == "abc"
    assert token_of("/files/") is None
    assert token_of("/v1/files/abc") is None


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("fw-1.2.bin", "fw-1.2.bin"),
        ("../../etc/passwd", "passwd"),
        (r"C:\\logs\\today.zip", "today.zip"),
        ('a"b\r\nSet-Cookie: x', "a_b_Set-Cookie_ x"),
        ("", "file"),
        ("..", "file"),
        ("x" * 300 + ".zip", "x" * 96 + ".zip"),
    ],
)
def test_a_name_is_plain(given, plain):
    assert plain_name(given) == plain
