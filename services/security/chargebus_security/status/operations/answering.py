"""Calls for the status of certificates that wait: what they ask is asked of responders."""

import asyncio
from collections.abc import Mapping
from functools import partial

from chargebus_calls.waiting import Ended, Finish, WaitingCall
from chargebus_ocppj.schemas import encode_result
from chargebus_ocppj.versions import as_version
from chargebus_runtime.database import Transaction

from chargebus_security.metrics import Metrics
from chargebus_security.names import SOURCE
from chargebus_security.status.domain.asked import Found, Question
from chargebus_security.status.operations.lookups import Lookups
from chargebus_security.status.routes import row_of

_ASKED = "asked"


class Answering:
    """Answers calls by what responders say."""

    def __init__(self, lookups: Lookups, metrics: Metrics) -> None:
        self._lookups = lookups
        self._metrics = metrics

    async def __call__(self, call: WaitingCall) -> Finish:
        """Ask what a call asks; return what answers it."""
        frame = call.frame
        questions: tuple[Question, ...] = row_of(frame.version, frame.action).read(frame)
        found = await asyncio.gather(*(self._lookups.find(each, frame.station_id) for each in questions))
        return partial(self._finish, call, dict(zip(questions, found, strict=True)))

    async def _finish(self, call: WaitingCall, found: Mapping[Question, Found], tx: Transaction) -> Ended:
        frame = call.frame
        row = row_of(frame.version, frame.action)
        if row.answer is None:
            raise TypeError(f"the edge answers {frame.action} of OCPP {frame.version}")
        questions = row.read(frame)
        payload = row.answer(questions, [found[each] for each in questions])
        if not isinstance(payload, bytes):
            payload = encode_result(as_version(frame.version), frame.action, payload)
        self._metrics.status_answered(frame.action, _ASKED)
        return Ended(_ASKED, frame.answer(payload, SOURCE, tx.now))
