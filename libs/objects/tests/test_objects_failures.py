"""What becomes of objects where a disk is full, or a storage away."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from chargebus_embedded import free_port
from chargebus_objects import (
    NoRoomError,
    ObjectsAwayError,
    ObjectsSettings,
    UnusableUrlError,
    objects_from,
)
from chargebus_runtime.away import is_away

MIB = 1024 * 1024


async def mebibytes(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield os.urandom(MIB)


@pytest.fixture
def full_disk(tmp_path) -> Iterator[Path]:
    """Return a disk of 8 MiB; only root may make one."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", tmp_path]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root can make a small disk; the same with a limit of the process is tested beside it")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.parametrize("size_mib", [4, 20])
async def test_a_full_disk_is_told_and_nothing_of_it_stays(full_disk, size_mib):
    objects = objects_from(ObjectsSettings(url=str(full_disk)))
    await objects.put("logs/1", mebibytes(5), 5 * MIB)

    with pytest.raises(NoRoomError) as caught:
        await objects.put("logs/2", mebibytes(size_mib), 100 * MIB)

    assert not is_away(caught.value)
    assert [path.name for path in full_disk.rglob("*") if path.is_file()] == ["1"]
    await objects.delete("logs/1")
    await objects.put("logs/2", mebibytes(4), 4 * MIB)


_LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from chargebus_objects import NoRoomError, ObjectsSettings, objects_from

async def mebibytes():
    for _ in range(20):
        yield bytes(1024 * 1024)

resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 20, 6 << 20))
try:
    asyncio.run(objects_from(ObjectsSettings(url=sys.argv[1])).put("logs/2", mebibytes(), 100 << 20))
except NoRoomError:
    sys.exit(42)
"""


def test_a_process_that_may_not_write_as_much_says_so_and_nothing_of_it_stays(tmp_path):
    limited = [sys.executable, "-c", _LIMITED, tmp_path]
    ended = subprocess.run(limited, capture_output=True, text=True, check=False)

    assert ended.returncode == 42, ended.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_storage_that_is_away_is_told_apart(tmp_path):
    url = f"s3://chargebus/x?endpoint=http://127.0.0.1:{free_port()}"
    objects = objects_from(ObjectsSettings(url=url, access_key_id="a", secret_access_key="b"))

    with pytest.raises(ObjectsAwayError) as caught:
        await objects.put("logs/1", mebibytes(1), MIB)
    assert is_away(caught.value)
    with pytest.raises(ObjectsAwayError):
        await objects.exists("logs/1")


@pytest.mark.server
@pytest.mark.xdist_group("object storage")
async def test_a_storage_that_goes_and_comes_has_what_it_had(object_storage):
    objects = object_storage.objects()
    await objects.put("logs/1", mebibytes(6), 6 * MIB)
    reached = asyncio.Event()
    killed = asyncio.Event()

    async def with_a_gap() -> AsyncIterator[bytes]:
        for number in range(30):
            if number == 15:
                reached.set()
                await killed.wait()
            yield bytes(MIB)

    writing = asyncio.create_task(objects.put("logs/2", with_a_gap(), 100 * MIB))
    await reached.wait()
    await object_storage.kill()
    killed.set()
    with pytest.raises(ObjectsAwayError):
        await writing
    await object_storage.start()

    assert not await objects.exists("logs/2")
    assert sum([len(chunk) async for chunk in objects.read("logs/1")]) == 6 * MIB
    await objects.put("logs/2", mebibytes(1), MIB)


async def test_wrong_keys_are_not_taken_for_an_object_that_is_not_there(object_storage):
    settings = ObjectsSettings(
        url=object_storage.settings["OBJECTS_URL"], access_key_id="nobody", secret_access_key="knows"
    )

    with pytest.raises(ObjectsAwayError):
        await objects_from(settings).exists("logs/1")


@pytest.mark.parametrize(
    "url", ["", "/", "s3://", "ftp://host/x", "s3://bucket?bucket=other", "http://host", "file://host/x"]
)
def test_an_url_of_no_place_is_refused(url):
    with pytest.raises(UnusableUrlError, match="OBJECTS_URL"):
        objects_from(ObjectsSettings(url=url))


def test_nothing_is_made_before_something_is_written(tmp_path):
    objects_from(ObjectsSettings(url=str(tmp_path / "later")))

    assert not (tmp_path / "later").exists()
