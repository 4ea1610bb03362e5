"""Objects in a folder and in a real S3-compatible storage: one suite for both."""

import asyncio
import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from chargebus_objects import (
    NoSuchObjectError,
    Objects,
    ObjectsAwayError,
    ObjectsSettings,
    Stored,
    TooLargeError,
    objects_from,
)

MIB = 1024 * 1024
KINDS = ("folder", pytest.param("s3", marks=[pytest.mark.server, pytest.mark.xdist_group("object storage")]))


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def environment(kind, request, tmp_path) -> dict[str, str]:
    if kind == "folder":
        return {"OBJECTS_URL": str(tmp_path)}
    storage = request.getfixturevalue("object_storage")
    own = f"s3://chargebus/{tmp_path.name.replace('_', '-')}?endpoint={storage.endpoint}"
    return {**storage.settings, "OBJECTS_URL": own}


@pytest.fixture
def objects(environment, monkeypatch) -> Objects:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return objects_from(ObjectsSettings())


async def pieces(content: bytes, each: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(content), each):
        yield content[start : start + each]


async def read(objects: Objects, key: str, *bounds: int) -> bytes:
    return b"".join([chunk async for chunk in objects.read(key, *bounds)])


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 12 * MIB + 3])
async def test_what_is_written_is_read_and_its_size_and_hash_are_told(objects, size):
    content = bytes(range(251)) * (size // 251 + 1)
    content = content[:size]

    stored = await objects.put("images/1/content.bin", pieces(content), max_bytes=size)

    assert stored == Stored(size, hashlib.sha256(content).digest())
    assert await read(objects, "images/1/content.bin") == content


async def test_a_part_is_read_without_the_rest(objects):
    content = bytes(range(256)) * 4096
    await objects.put("logs/1", pieces(content), MIB)

    assert await read(objects, "logs/1", 1000, 600_000) == content[1000:600_000]
    assert await read(objects, "logs/1", MIB - 3) == content[-3:]
    assert await read(objects, "logs/1", 5, 5) == b""


async def test_what_is_too_large_leaves_nothing_not_even_of_what_was_there(objects):
    await objects.put("logs/1", pieces(b"before"), 6)

    with pytest.raises(TooLargeError, match="9437184 bytes"):
        await objects.put("logs/1", pieces(bytes(9 * MIB + 1)), 9 * MIB)

    assert await read(objects, "logs/1") == b"before"


@pytest.mark.parametrize("after", [1, 100])
async def test_a_stream_that_breaks_off_leaves_nothing_and_says_why(objects, kind, tmp_path, after):
    async def broken() -> AsyncIterator[bytes]:
        for _ in range(after):
            yield bytes(128 * 1024)
        raise ConnectionResetError("the client has gone")

    with pytest.raises(ConnectionResetError, match="the client has gone"):
        await objects.put("logs/1", broken(), 100 * MIB)

    assert not await objects.exists("logs/1")
    assert files(tmp_path) == []


async def test_a_put_that_is_cancelled_leaves_nothing(objects, tmp_path):
    halfway = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(128 * 1024)
        halfway.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(objects.put("logs/1", slow(), 100 * MIB))
    await halfway.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert not await objects.exists("logs/1")
    assert files(tmp_path) == []


_MUCH = """
import asyncio, os, resource
from chargebus_objects import ObjectsSettings, objects_from

MIB = 1024 * 1024
objects = objects_from(ObjectsSettings())

async def mebibytes(count):
    for _ in range(count):
        yield bytes(MIB)

async def there_and_back(count):
    await objects.put("images/1", mebibytes(count), count * MIB)
    async for _ in objects.read("images/1"):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

async def main():
    print(-await there_and_back(30) + await there_and_back(200), flush=True)
    os._exit(0)  # obstore's threads abort a process, now and then, whose interpreter ends right after their last answer

asyncio.run(main())
"""


def test_memory_holds_a_few_parts_however_large_an_object_is(environment):
    ended = subprocess.run(
        [sys.executable, "-c", _MUCH], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 30 * 1024


async def test_an_object_is_taken_away_as_often_as_wanted(objects):
    await objects.put("logs/1", pieces(b"x"), 1)

    await objects.delete("logs/1")
    await objects.delete("logs/1")

    assert not await objects.exists("logs/1")
    with pytest.raises(NoSuchObjectError):
        await read(objects, "logs/1")


async def test_a_list_holds_what_lies_below_a_prefix(objects):
    for key in ("uploads/1/0", "uploads/1/5", "uploads/10/0", "logs/1"):
        await objects.put(key, pieces(b"12345"), 5)

    found = [(each.key, each.size) async for each in objects.list("uploads/1")]

    assert sorted(found) == [("uploads/1/0", 5), ("uploads/1/5", 5)]


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a//b", "a/../b", "a/.hidden", "a b", "ü", "a\n"])
async def test_what_is_no_key_is_refused(objects, key):
    with pytest.raises(ValueError, match="no key"):
        await objects.put(key, pieces(b"x"), 1)
    with pytest.raises(ValueError, match="no key"):
        await read(objects, key)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_a_killed_process_had_begun_is_taken_away_after_a_while_and_nothing_else(tmp_path):
    objects = objects_from(ObjectsSettings(url=str(tmp_path)))
    await objects.put("images/1", pieces(b"whole"), max_bytes=10)
    program = """
import asyncio, os, signal, sys
from chargebus_objects import ObjectsSettings, objects_from

async def chunks():
    for _ in range(3):
        yield bytes(5 * 1024 * 1024)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(objects_from(ObjectsSettings(url=sys.argv[1])).put("images/2", chunks(), 1 << 30))
"""
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, str(tmp_path)], check=False)
    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]

    await objects.tidy(timedelta(hours=1))
    young = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    await objects.tidy(timedelta(0))

    assert len(names) == 2
    assert young == names
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["1"]
    assert await read(objects, "images/1") == b"whole"


async def test_a_folder_that_goes_while_it_is_tidied_is_passed_over(tmp_path, monkeypatch):
    objects, gone, scandir = objects_from(ObjectsSettings(url=str(tmp_path))), tmp_path / "images" / "gone", os.scandir
    gone.mkdir(parents=True)
    for folder in ("after", "before"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1#1").touch()

    def scanned(path):
        if Path(path) == gone:
            gone.rmdir()  # as whoever deletes its last object does
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scanned)
    await objects.tidy(timedelta(0))

    assert not gone.exists()
    assert files(tmp_path) == []


async def test_a_folder_that_does_not_answer_when_it_is_tidied_is_away(tmp_path, monkeypatch):
    def scanned(_path):
        raise OSError(errno.EIO, "a disk that has gone")

    monkeypatch.setattr(os, "scandir", scanned)

    with pytest.raises(ObjectsAwayError):
        await objects_from(ObjectsSettings(url=str(tmp_path))).tidy(timedelta(0))
