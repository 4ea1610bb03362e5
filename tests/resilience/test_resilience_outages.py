"""A service that is away for long: its frames wait, the stations stay, and resend more often than anybody likes."""

import pytest
from chargebus_testkit.fleet import Plan
from chargebus_testkit.waiting import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("away or doubled"),
]

RESENT = 5


def most_often_sent(fleet):
    """Return how often the message was sent that was sent most often."""
    entries = [entry for station in fleet.stations for entry in station.history.transactions]
    return max((len(message.message_ids) for entry in entries for message in entry.messages), default=0)


async def test_session_is_away_until_every_station_has_resent_often(system, scenario):
    """A minute at a station's usual time-out of 30 s is two of them; here are five."""
    async with scenario(Plan("session-away", answer_timeout_s=1.5)) as fleet, fleet.busy():
        await fleet.progress(5)
        connections = fleet.connections

        await system["session"].kill()
        await until(lambda: most_often_sent(fleet) > RESENT, within_s=120, what="messages resent")
        await system["session"].start()

        await fleet.progress(20)
        assert fleet.connections == connections, "stations stay connected while a service is away"


@pytest.mark.parametrize("service", ["metering", "device"])
async def test_a_service_that_answers_no_transaction_is_away(system, scenario, service):
    async with scenario(Plan(f"{service}-away")) as fleet, fleet.busy():
        await fleet.progress(5)

        await system[service].stop()
        await fleet.progress(20)
        await system[service].start()

        await fleet.progress(5)


async def test_command_is_away_while_starts_and_stops_are_asked_for(system, scenario):
    async with scenario(Plan("command-away")) as fleet, fleet.busy():
        await fleet.commands(5)

        await system["command"].stop()
        await fleet.progress(15)
        await system["command"].start()

        await fleet.commands(10)
