"""`chargebus holes` against a real database."""

import asyncpg
import pytest
from chargebus_cli import holes, migrate
from chargebus_cli.errors import CommandError
from chargebus_cli.services import builds
from chargebus_runtime.clock import utc_now
from chargebus_runtime.migrations import database_url
from chargebus_runtime.offsets import Hole, record_hole
from chargebus_runtime.settings import RuntimeSettings

# Databases and topics under their names as declared: no other test may use them meanwhile.
pytestmark = pytest.mark.xdist_group("declared topics")


@pytest.fixture
async def settings(postgres):
    settings = RuntimeSettings(database_url=postgres.url)
    await migrate.run(settings, builds(["metering"]))
    return settings


async def test_a_hole_is_listed_until_it_is_acknowledged(settings, capsys):
    connection = await asyncpg.connect(database_url(settings.database_url, "chargebus_metering"))
    await record_hole(connection, Hole("ocpp.frames.metering", 3, 10, 25, "retention ran over us"), utc_now())
    await connection.close()
    capsys.readouterr()

    await holes.list_all(settings, builds(["metering"]))
    assert "retention ran over us" in capsys.readouterr().out

    await holes.acknowledge(settings, builds(["metering"]), utc_now)
    assert capsys.readouterr().out == "chargebus_metering: 1 acknowledged\n"

    await holes.list_all(settings, builds(["metering"]))
    assert "retention" not in capsys.readouterr().out


async def test_a_database_that_is_not_there_gives_one_clear_line(tmp_path):
    settings = RuntimeSettings(database_url=f"postgresql://nobody@/postgres?host={tmp_path}")
    with pytest.raises(CommandError, match="chargebus_metering cannot be used"):
        await holes.list_all(settings, builds(["metering"]))
