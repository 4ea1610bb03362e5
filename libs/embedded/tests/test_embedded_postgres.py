"""The embedded PostgreSQL: its data outlives stops and crashes."""

import asyncpg
import pytest
from chargebus_embedded import EmbeddedPostgres, StartError


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
