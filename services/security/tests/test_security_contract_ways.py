"""Whose state is not known is asked about in each way that there is, whichever of them hangs."""

import asyncio
from datetime import UTC, datetime, timedelta

from chargebus_security.contracts.domain.checks import Link, Policy
from chargebus_security.contracts.operations.checking import Checking
from chargebus_security.inventory.domain.hashes import HashData
from chargebus_security.metrics import Metrics
from chargebus_security.status.domain.asked import Found, Question

NAMED = HashData("SHA256", "a", "b", "c")
BY_OCSP, BY_LIST = Question(NAMED, "OCSP", ("http://ocsp/",)), Question(NAMED, "CRL", ("http://crl/",))


class HangingResponder:
    """Its list is there, and it itself never answers."""

    async def find(self, question, _station_id, _issuers):
        if question == BY_OCSP:
            await asyncio.Event().wait()
        now = datetime.now(UTC)
        return Found("Good", now, now + timedelta(hours=1))


async def test_where_a_responder_hangs_the_list_is_asked_for_in_what_is_left_of_the_time():
    checking = Checking(None, HangingResponder(), Metrics(), lambda: datetime.now(UTC), Policy(), within_s=0.2)
    found = {}
    await checking._ask(Link((BY_OCSP, BY_LIST)), "CS-1", found)
    assert {each: what.status for each, what in found.items()} == {BY_LIST: "Good"}
