"""Commands as they come down, and what became of them, as records for `ocpp.deliveries`."""

from datetime import datetime

import msgspec
from chargebus_events.commands import Delivery, DeliveryResult
from chargebus_events.frames import RpcError
from chargebus_ocppj.secrets import STANDARD, Secrets


class StationCommand(msgspec.Struct, frozen=True):
    """A command as it came down; `sent_at` tells a record that came twice from a command that was sent again.

    `write_until` and `answer_due` are seconds of the edge's monotonic clock: it is not written at or after the one,
    and its answer was to be there at the other. `secrets` are what must not be told of it.
    """

    command_id: str
    action: str
    payload: bytes
    timeout_s: float
    sent_at: datetime
    write_until: float
    answer_due: float
    secrets: Secrets = STANDARD


class Report(msgspec.Struct, frozen=True):
    """What became of a command, for the `command` service; the fields are those of a `Delivery`."""

    command: StationCommand
    result: DeliveryResult
    payload: bytes | None = None
    error: RpcError | None = None


def delivery(report: Report, station_id: str, epoch: int, now: datetime) -> Delivery:
    """Return a report as the event that the `command` service reads; `epoch` is what the command named.

    It holds no secret, be it one of the answer or one that the station repeats.
    """
    command, error, payload = (
        report.command,
        purged(report.command, report.error, report.payload or b""),
        report.payload,
    )
    if payload is not None:
        payload = command.secrets.masked_result(command.action, command.payload, payload)
    return Delivery(
        command_id=command.command_id,
        station_id=station_id,
        epoch=epoch,
        result=report.result,
        at=now,
        payload=None if payload is None else msgspec.Raw(payload),
        error_code="" if error is None else error.code,
        error_description="" if error is None else error.description,
        error_details=error.details if error is not None and error.code else None,
        sent_at=command.sent_at,
    )


def purged(command: StationCommand, error: RpcError | None, answer: bytes = b"") -> RpcError | None:
    """Return an error without the secrets of the command, or the answer, that it is about."""
    if error is None:
        return None
    action, payload, secrets = command.action, command.payload, command.secrets
    return RpcError(
        error.code,
        secrets.purged_text(action, payload, error.description, answer),
        msgspec.Raw(secrets.purged(action, payload, bytes(error.details))),
    )
