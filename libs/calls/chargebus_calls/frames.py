"""Stations' frames: read by the table, decided by blocks, answered; the only place that refuses or passes over one.

| what comes | what becomes of it |
|---|---|
| a row reads it | its block decides, the row answers (or the edge has) |
| the row cannot read it, and the station waits | CALLERROR PropertyConstraintViolation |
| the row cannot read it, and nobody waits | parked; where it is readable and says what cannot be: logged and counted |
| no row, and the station waits for this service | CALLERROR NotSupported |
| no row otherwise | a sign of life |
| it is no frame | parked |
| our code fails on it | parked; CALLERROR InternalError where the station waits |
| it deviates from its schema, and its edge understood it | read as it is meant, if its row can |
| it is about a transaction, and was refused here or by its edge | parked, with its text, as refused |

Spec: OCPP-J 1.6 4.2.3; OCPP 2.0.1 and 2.1 Part 4, 4.3
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from chargebus_events.frames import DEVIATIONS_HEADER, REFUSED_HEADER, Frame, RpcError
from chargebus_events.record import Received, Record
from chargebus_events.topics import frames_topic
from chargebus_ocppj.actions import ABOUT_TRANSACTIONS, lookup
from chargebus_ocppj.deviations import decode_deviations
from chargebus_ocppj.errors import InternalRpcError, NotSupportedRpcError, OcppError, PropertyConstraintError
from chargebus_ocppj.mending import mended
from chargebus_ocppj.schemas import encode_result
from chargebus_ocppj.versions import as_version
from chargebus_runtime import parking
from chargebus_runtime.batch import Batch
from chargebus_runtime.clock import Clock

from chargebus_calls.metrics import Metrics
from chargebus_calls.routes import Answer, Block, Call, Fixed, Payload, Routes, Row, UnusableCallError

log = logging.getLogger(__name__)

Heard = Callable[[Batch, Sequence[Received]], Awaitable[None]]

_ACTIONS_KEPT: Final = 4096


async def pass_over(_batch: Batch, _records: Sequence[Received]) -> None:
    """Do nothing about the frames as such."""


class _Treatment(NamedTuple):
    """What is done with the frames of one version and action; `waited_for`: the station waits for this service."""

    row: Row[Any, Any] | Fixed | None
    waited_for: bool


class Frames:
    """The frames of a service: those of its own topic, and those of others that it listens to.

    Args:
        service: its name in the action table.
        routes: the table.
        blocks: one of each type that the table names; a batch goes through them in this order.
        clock: tells the time of refusals.
        listens_to: services whose frames are read as well; they are never answered from here.
        heard: gets all frames of a batch after the blocks, whether a row reads them or not.
        unread_wait_s: how long frames without a row may wait for others.
        listened_rest_s: how long the topics of other services rest once they are read to their end.
    """

    def __init__(  # noqa: PLR0913 - one declaration, each part by its name
        self,
        service: str,
        routes: Routes,
        blocks: Sequence[Block[Any, Any]],
        clock: Clock,
        *,
        listens_to: Sequence[str] = (),
        heard: Heard = pass_over,
        unread_wait_s: float = 0.0,
        listened_rest_s: float = 0.0,
    ) -> None:
        self._own = frames_topic(service)
        listened = [*map(frames_topic, listens_to)]
        self.topics = (self._own, *listened)
        self.rests = dict.fromkeys(listened, listened_rest_s) if listened_rest_s else {}
        self._service = service
        self._source = f"/{service}"
        self._blocks = {type(block): block for block in blocks}
        self._clock = clock
        self._heard = heard
        self._unread_wait_s = unread_wait_s
        self._metrics = Metrics(service)
        self._treat = lru_cache(maxsize=_ACTIONS_KEPT)(_treatment(routes))
        self._treat_listened = lru_cache(maxsize=_ACTIONS_KEPT)(_unanswered(self._treat))
        self.patient = unread_wait_s > 0 or any(isinstance(row, Row) and row.wait_s > 0 for row in routes.values())
        _check(self._own, routes, self._blocks)

    async def apply(self, batch: Batch, records: Sequence[Received]) -> None:
        """Read the frames of a batch, let each block decide its own, answer."""
        by_block: dict[type[Block[Any, Any]], list[Call[Any]]] = {block: [] for block in self._blocks}
        for record in records:
            if REFUSED_HEADER in record.headers and not parking.is_replay(record):
                await self._keep_refused(batch, record, _reason(record))
            elif (call := await self._read(batch, record)) is not None:
                by_block[call.row.block].append(call)
        for kind, calls in by_block.items():
            if calls:
                await self._decide(batch, self._blocks[kind], calls)
        await self._heard(batch, records)

    def refuse(self, record: Received, _reason: str) -> Sequence[Record]:
        """Return the CALLERROR of a frame that was parked, if its station waits for this service."""
        if not self._treatment_of(record).waited_for:
            return ()
        try:
            frame = Frame.read(record)
            error = InternalRpcError(as_version(frame.version), "The CSMS could not handle this message.")
        except (KeyError, ValueError):  # not a frame: nobody waits for an answer
            return ()
        return (frame.error(error.code, error.description, self._source, self._clock()),)

    def may_wait_s(self, record: Received) -> float:
        """Return how long a frame may wait for others, in seconds."""
        row, waited_for = self._treatment_of(record)
        if isinstance(row, Row):
            return row.wait_s
        return 0.0 if waited_for else self._unread_wait_s

    def _treatment_of(self, record: Received) -> _Treatment:
        headers = record.headers
        treat = self._treat if record.topic == self._own else self._treat_listened
        return treat(headers.get("ocpp_version", b""), headers.get("ocpp_action", b""))

    async def _read(self, batch: Batch, record: Received) -> Call[Any] | None:
        """Read a frame; one that no block decides is dealt with here."""
        row, waited_for = self._treatment_of(record)
        if row is None and not waited_for and "ocpp_action" in record.headers:  # most are such: they need not be read
            return None
        frame = Frame.read(record)
        if isinstance(row, Fixed):
            self._answer(batch, record, frame, Answer(row.answer))
            return None
        if row is None:
            reason = f"{frame.action} is not supported by this CSMS"
            await self._error(batch, record, frame, NotSupportedRpcError(as_version(frame.version), reason))
            return None
        try:
            frame = _meant(frame, record)
            return Call(record, frame, row.read(frame), row)
        except (UnusableCallError, msgspec.MsgspecError) as error:
            if waited_for:
                unreadable = PropertyConstraintError(as_version(frame.version), f"payload: {error}")
                await self._error(batch, record, frame, unreadable)
            elif isinstance(error, UnusableCallError) or _deviates(record):
                log.warning("station %s: %s is unusable: %s", frame.station_id, frame.action, error)
                self._metrics.unusable.add(1, self._metrics.about(frame))
                if _deviates(record):
                    await self._keep_refused(batch, record, f"{error}")
            else:
                raise
        return None

    async def _keep_refused(self, batch: Batch, record: Received, reason: str) -> None:
        """Park a frame of ours that is about a transaction and was refused: no fault of ours, so without a limit."""
        action = record.text("ocpp_action")
        if record.topic == self._own and action in ABOUT_TRANSACTIONS:
            await parking.set_aside(self._service, batch, record, f"{parking.REFUSED}{reason}")
            self._metrics.kept.add(
                1, {"service": self._service, "action": action, "version": record.text("ocpp_version")}
            )

    async def _decide(self, batch: Batch, block: Block[Any, Any], calls: Sequence[Call[Any]]) -> None:
        state = await block.load(batch, calls)
        for call in calls:
            try:
                answer = block.decide(state, call)
            except OcppError as error:
                await self._error(batch, call.record, call.frame, error)
                continue
            if answer is not None:
                self._answer(batch, call.record, call.frame, answer)
        await block.save(batch, state)

    def _answer(self, batch: Batch, record: Received, frame: Frame, answer: Answer) -> None:
        payload = _encoded(frame, answer.payload)
        batch.send(frame.answer(payload, self._source, batch.now, *answer.headers), because=record)

    async def _error(self, batch: Batch, record: Received, frame: Frame, error: OcppError) -> None:
        log.warning("station %s: %s refused: %s", frame.station_id, frame.action, error)
        self._metrics.refused.add(1, {**self._metrics.about(frame), "code": error.code})
        batch.send(frame.error(error.code, error.description, self._source, batch.now), because=record)
        await self._keep_refused(batch, record, f"{error}")


def _meant(frame: Frame, record: Received) -> Frame:
    """Return a frame with its payload as it is meant, if it deviates; any other as it is.

    Raises:
        UnusableCallError: it cannot be told what is meant.
    """
    if not _deviates(record):
        return frame
    try:
        deviations = decode_deviations(frame.deviations or b"[]")
        payload = mended(as_version(frame.version), frame.action, frame.payload, deviations)
    except (ValueError, msgspec.MsgspecError) as error:
        raise UnusableCallError(str(error)) from error
    return msgspec.structs.replace(frame, payload=payload)


def _deviates(record: Received) -> bool:
    return DEVIATIONS_HEADER in record.headers or REFUSED_HEADER in record.headers


def _reason(record: Received) -> str:
    try:
        error = msgspec.json.decode(record.headers[REFUSED_HEADER], type=RpcError)
    except msgspec.MsgspecError:
        return "its edge did not say why"
    return f"{error.code}: {error.description}".replace("\0", "\\0")


def _treatment(routes: Routes) -> Callable[[bytes, bytes], _Treatment]:
    def treatment(version: bytes, action: bytes) -> _Treatment:
        name = version.decode("utf-8", "replace"), action.decode("utf-8", "replace")
        listed = lookup(*name)
        return _Treatment(routes.get(name), listed is not None and listed.answered_by == "service")

    return treatment


def _unanswered(treat: Callable[[bytes, bytes], _Treatment]) -> Callable[[bytes, bytes], _Treatment]:
    """Return what is done with frames of other services: they wait for those."""

    def treatment(version: bytes, action: bytes) -> _Treatment:
        return treat(version, action)._replace(waited_for=False)

    return treatment


def _check(own: str, routes: Routes, blocks: Mapping[type[Block[Any, Any]], Block[Any, Any]]) -> None:
    """Find at the start what the first frame of an action would find, or only its station: that nobody answers.

    Raises:
        ValueError: a row names a block that is not there, or an action that its version does not have; or it answers
            what the edge answers, or does not answer what the edge leaves to this service.
    """
    for (version, action), row in routes.items():
        listed = lookup(version, action)
        if listed is None:
            raise ValueError(f"{action} is no call of stations in OCPP {version}")
        answers = isinstance(row, Fixed) or row.answer is not None
        if frames_topic(listed.service) == own and answers != (listed.answered_by == "service"):
            raise ValueError(f"{action} of OCPP {version}: its answer comes from {listed.answered_by}; its row differs")
        if isinstance(row, Row) and row.block not in blocks:
            raise ValueError(f"{action} of OCPP {version} needs a {row.block.__name__}, and the service has none")


def _encoded(frame: Frame, payload: Payload) -> bytes:
    return payload if isinstance(payload, bytes) else encode_result(as_version(frame.version), frame.action, payload)
