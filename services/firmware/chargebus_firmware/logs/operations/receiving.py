"""Files of logs as they arrive: kept part by part, so that whatever ends an upload leaves what had come."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chargebus_objects import NoRoomError, Objects, ObjectsAwayError, ObjectsError
from chargebus_runtime.away import MAYBE_AWAY, is_away
from chargebus_runtime.database import Database

from chargebus_firmware.logs.domain import log as domain
from chargebus_firmware.logs.domain.log import Arrival, Log, Patience
from chargebus_firmware.logs.errors import (
    BrokenOffError,
    CancelledError,
    DiskFullError,
    StoreAwayError,
    TakenAlreadyError,
    TooLargeError,
    TooManyUploadsError,
    TooSlowError,
    UploadError,
)
from chargebus_firmware.logs.operations.requests import unknown
from chargebus_firmware.logs.store import files, logs
from chargebus_firmware.metrics import Metrics

log_ = logging.getLogger(__name__)

_NOTE_EVERY_S: Final = 5.0
_TRY_AGAIN: Final = "Try again later."
_REFUSALS: Final[dict[str, tuple[type[UploadError], str]]] = {
    "cancelled": (CancelledError, "The log was given up: its file is not wanted any more."),
    "taken_already": (TakenAlreadyError, "The file is here already; the first stays."),
    "too_many": (TooManyUploadsError, "It was tried too often."),
}


@dataclass(frozen=True)
class Bounds:
    """How large a file may be, how long an upload may take, and how long it may pause."""

    most_bytes: int
    within_s: float
    pause_s: float


class Receiver:
    """Takes files of logs."""

    def __init__(
        self, database: Database, objects: Objects, bounds: Bounds, patience: Patience, metrics: Metrics
    ) -> None:
        self._database = database
        self._objects = objects
        self._bounds = bounds
        self._patience = patience
        self._metrics = metrics

    async def receive(self, log_id: int, arrival: Arrival, chunks: AsyncIterator[bytes]) -> Log:
        """Take a file; what `chunks` raises means that it broke off.

        Returns:
            The log with its file.

        Raises:
            UnknownLogError: there is none.
            UploadError: it is not taken, or only a piece of it was: its class says why.
        """
        number, log = await self._begin(log_id, arrival)
        upload = _Upload(self._objects, files.prefix_of(log.key, number), self._bounds.most_bytes)
        try:
            await self._copy(log_id, number, upload, chunks)
        except BaseException as error:
            told = _told(error)
            await asyncio.shield(asyncio.ensure_future(self._fail(log_id, number, upload, told)))
            if told is error:
                raise
            raise told from error
        return await self._complete(log_id, number, upload)

    async def _begin(self, log_id: int, arrival: Arrival) -> tuple[int, Log]:
        async with self._database.transaction() as tx:
            log = (await logs.lock(tx.connection, [log_id])).get(log_id)
            if log is None:
                raise unknown(log_id)
            refusal, before = domain.refusal(log), log
            log = domain.began(log, arrival, tx.now, self._patience)
            await logs.change(tx, {log_id: before}, [log], self._patience)
        if refusal:
            self._metrics.log_uploads.add(1, {"transport": arrival.transport, "end": refusal})
            kind, why = _REFUSALS[refusal]
            raise kind(why)
        return log.uploads[-1].number, log

    async def _copy(self, log_id: int, number: int, upload: "_Upload", chunks: AsyncIterator[bytes]) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._bounds.within_s
        noted_at, noted = loop.time(), 0
        while (chunk := await self._next(chunks, ends_at - loop.time())) is not None:
            await upload.write(chunk)
            # Also where no part is whole for long: what comes slowly has not stopped.
            if loop.time() - noted_at >= _NOTE_EVERY_S or (upload.kept and not noted):
                await self._change(log_id, lambda log, now: domain.went_on(log, number, upload.kept, now))
                noted_at, noted = loop.time(), upload.kept
        await upload.flush()

    async def _next(self, chunks: AsyncIterator[bytes], left_s: float) -> bytes | None:
        try:
            return await asyncio.wait_for(anext(chunks, None), max(min(left_s, self._bounds.pause_s), 0))
        except TimeoutError as error:
            if left_s <= self._bounds.pause_s:
                raise TooSlowError(f"An upload may take {self._bounds.within_s:g} s.") from error
            raise BrokenOffError(f"Nothing came for {self._bounds.pause_s:g} s.") from error
        except Exception as error:
            raise BrokenOffError("It stopped half-way.") from error

    async def _complete(self, log_id: int, number: int, upload: "_Upload") -> Log:
        log = await self._change(
            log_id, lambda log, now: domain.completed(log, number, upload.size, upload.sha256, now)
        )
        taken = log.counts == number
        self._count(log, number)
        if not taken:
            await self._drop(upload)
            kind, why = _REFUSALS[domain.refusal(log) or "taken_already"]
            raise kind(why)
        self._metrics.log_bytes.add(upload.size)
        return log

    async def _fail(self, log_id: int, number: int, upload: "_Upload", error: BaseException) -> None:
        """Note how an upload failed, and keep what had come unless it is refused."""
        refused = isinstance(error, TooLargeError | DiskFullError | StoreAwayError)
        if refused:
            await self._drop(upload)
        else:
            await self._flush(upload)
        reason = error.reason if isinstance(error, UploadError) else BrokenOffError.reason

        def failed(log: Log, now: datetime) -> Log:
            if refused:
                return domain.refused(log, number, reason, str(error), now)
            return domain.broke_off(domain.went_on(log, number, upload.kept, now), number, reason, now)

        try:
            self._count(await self._change(log_id, failed), number)
        except MAYBE_AWAY as away:
            if not is_away(away):
                raise
            log_.warning("how an upload ended is noted later, as the database is away: %r", away)

    async def _flush(self, upload: "_Upload") -> None:
        try:
            await upload.flush()
        except ObjectsError as error:
            log_.warning("the last bytes of an upload that broke off are not kept: %s", error)

    async def _drop(self, upload: "_Upload") -> None:
        try:
            await files.drop(self._objects, upload.prefix)
        except ObjectsError as error:
            log_.warning("what is kept of an upload is deleted later: %s", error)

    async def _change(self, log_id: int, change: Callable[[Log, datetime], Log]) -> Log:
        async with self._database.transaction() as tx:
            log = (await logs.lock(tx.connection, [log_id])).get(log_id)
            if log is None:
                raise unknown(log_id)
            changed = change(log, tx.now)
            await logs.change(tx, {log_id: log}, [changed], self._patience)
        return changed

    def _count(self, log: Log, number: int) -> None:
        upload = log.upload(number)
        if upload is not None:
            self._metrics.log_uploads.add(1, {"transport": upload.transport, "end": upload.reason or upload.state})


class _Upload:
    """What has come of a file: counted, hashed, and kept as soon as a part is whole."""

    def __init__(self, objects: Objects, prefix: str, most_bytes: int) -> None:
        self.prefix = prefix
        self.size = 0
        self.kept = 0
        self._objects = objects
        self._most_bytes = most_bytes
        self._hash = hashlib.sha256()
        self._waiting = bytearray()

    @property
    def sha256(self) -> str:
        """The hash of all that came."""
        return self._hash.hexdigest()

    async def write(self, chunk: bytes) -> None:
        """Take what came.

        Raises:
            TooLargeError: there is too much. NoRoomError, ObjectsAwayError: it cannot be kept.
        """
        self.size += len(chunk)
        if self.size > self._most_bytes:
            raise TooLargeError(f"A file may have {self._most_bytes} bytes.")
        self._hash.update(chunk)
        self._waiting += chunk
        while len(self._waiting) >= files.PART_BYTES:
            await self._keep(files.PART_BYTES)

    async def flush(self) -> None:
        """Keep what waits."""
        if self._waiting:
            await self._keep(len(self._waiting))

    async def _keep(self, count: int) -> None:
        part = self.kept // files.PART_BYTES
        await files.put_part(self._objects, self.prefix, part, bytes(self._waiting[:count]))
        self.kept += count
        del self._waiting[:count]


def _told(error: BaseException) -> BaseException:
    """Return what a station is told of what went wrong."""
    if isinstance(error, NoRoomError):
        return DiskFullError(f"There is no room for the file. {_TRY_AGAIN}")
    if isinstance(error, ObjectsAwayError):
        return StoreAwayError(f"The store of files does not answer. {_TRY_AGAIN}")
    return error
