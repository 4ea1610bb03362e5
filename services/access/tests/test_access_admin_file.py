"""The admin key file: made once, whole, for its owner alone, and taken up again."""

import asyncio
import stat
import threading

import pytest
from chargebus_access.domain.keys import StoredKey
from chargebus_access.errors import AdminFileError
from chargebus_access.operations import AdminFile, new_presented_key
from chargebus_access.store import keys
from chargebus_access.store.admin_file import read_or_make
from chargebus_runtime.http import Role


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "admin.key"


async def test_a_key_is_made_and_opens(access, path):
    await AdminFile(path, access.database).install()
    await access.settled()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert access.ring.caller(path.read_text().strip()).role is Role.ADMIN
    assert [file.name for file in path.parent.iterdir()] == ["admin.key"]


async def test_the_key_stays_the_same_at_the_next_start(access, path):
    await AdminFile(path, access.database).install()
    first = path.read_text()
    await AdminFile(path, access.database).install()

    assert path.read_text() == first
    assert await access.database.pool.fetchval("SELECT count(*) FROM api_key") == 1


async def test_a_database_that_lost_the_key_takes_it_up_again(access, path):
    await AdminFile(path, access.database).install()
    await access.database.pool.execute("DELETE FROM api_key")
    await AdminFile(path, access.database).install()
    await access.settled()

    assert access.ring.caller(path.read_text().strip()).role is Role.ADMIN


async def test_copies_that_start_at_once_agree_on_one_key(access, path):
    await asyncio.gather(*(AdminFile(path, access.database).install() for _ in range(8)))
    await access.settled()

    assert await access.database.pool.fetchval("SELECT count(*) FROM api_key") == 1
    assert access.ring.caller(path.read_text().strip()).role is Role.ADMIN


def test_threads_that_make_the_file_at_once_read_the_same_key(path):
    barrier, found = threading.Barrier(8), []

    def make():
        barrier.wait()
        found.append(read_or_make(path, new_presented_key))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1


async def test_a_revoked_key_is_not_brought_back(access, path, caplog):
    file = AdminFile(path, access.database)
    await file.install()
    async with access.database.transaction() as tx:
        (stored,) = (await keys.load(tx.connection)).values()
        await keys.revoke(tx.connection, StoredKey(stored.key, revoked_at=tx.now))
    await file.install()

    assert await access.database.pool.fetchval("SELECT count(*) FROM api_key WHERE revoked_at IS NULL") == 0
    assert "was revoked" in caplog.text


@pytest.mark.parametrize("content", ["", "nonsense", "cbk_only"])
def test_a_file_that_holds_no_key_is_told_and_left_alone(path, content):
    path.parent.mkdir()
    path.write_text(content)

    with pytest.raises(AdminFileError, match="holds no API key"):
        read_or_make(path, new_presented_key)
    assert path.read_text() == content


def test_a_file_that_others_may_read_is_told(path, caplog):
    read_or_make(path, new_presented_key)
    path.chmod(0o644)
    read_or_make(path, new_presented_key)

    assert "others may read it" in caplog.text
