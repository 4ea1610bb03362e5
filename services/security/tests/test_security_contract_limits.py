"""How many contracts a station may show at a time, and what the pool for trials takes."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from chargebus_calls.waiting import Came
from chargebus_events.frames import Frame
from chargebus_security.contracts.block import CHECKED, CheckState, ContractChecks
from chargebus_security.contracts.domain.checks import Link, Policy
from chargebus_security.contracts.domain.provisioning import CertificateRequest
from chargebus_security.contracts.errors import ProvisioningError
from chargebus_security.contracts.operations.built_in import BuiltInPool
from chargebus_security.inventory.domain.hashes import HashData
from chargebus_security.metrics import Metrics
from chargebus_security.status.domain.asked import Question

QUESTION = Question(HashData("SHA256", "a", "b", "c"), "OCSP", ("http://one/",))


async def test_a_vehicles_request_of_letters_that_are_no_base64_is_refused_by_the_pool_for_trials():
    with pytest.raises(ProvisioningError, match="no base64"):
        await BuiltInPool({}).contracts(CertificateRequest("CS-1", "Install", "", "gAé="))


def shown(number):
    return Frame("CS-1", "2.0.1", CHECKED, f"m{number}", 3, 7, number, b"{}", datetime.now(UTC))


async def test_a_station_that_shows_more_contracts_than_are_asked_about_at_a_time_is_refused():
    block, waiting = ContractChecks(None, Policy(), Metrics()), (Link((QUESTION,)),)
    calls = [SimpleNamespace(frame=shown(number), record=None) for number in range(12)]
    state = CheckState({"CS-1": Came(5, 3)}, {id(each): waiting for each in calls}, {})
    for each in calls:
        block.decide(state, each)
    assert len(state.waiting) == 5
    assert {check.status for _, check in state.checked} == {"CertChainError"}
    assert len(state.checked) == 7

    often = CheckState({"CS-1": Came(300, 0)}, {id(calls[0]): waiting}, {})
    block.decide(often, calls[0])
    assert (len(often.waiting), len(often.checked)) == (0, 1)
