"""Payloads ↔ domain: what the versions have in common."""

from datetime import UTC, datetime

import msgspec
from chargebus_events.frames import Frame
from chargebus_ocppj.payloads import Payload, reader

from chargebus_firmware.updates.domain.update import Update


class StatusTold(msgspec.Struct, frozen=True):
    """A station's status of an update; without a number it is of whichever is under way."""

    station_id: str
    status: str
    request_id: int | None
    at: datetime


class Request(msgspec.Struct, frozen=True):
    """What a station is asked: which update, from where, and from when on."""

    update: Update
    location: str
    now: datetime


class _Status(Payload, frozen=True):
    status: str
    request_id: int | None = None


_status = reader(_Status)


def status_told(frame: Frame) -> StatusTold:
    """Return what a FirmwareStatusNotification or SignedFirmwareStatusNotification says."""
    read = _status(frame.payload)
    return StatusTold(frame.station_id, read.status, read.request_id, frame.received_at)


def moment(at: datetime) -> str:
    """Return a time as OCPP writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def firmware(request: Request, *, signed: bool) -> dict[str, object]:
    """Return the members of FirmwareType, which SignedUpdateFirmware of 1.6 and UpdateFirmware of 2.x share.

    Spec: OCPP 2.0.1 L01.FR.10, L02; OCPP 1.6 security white paper, SignedUpdateFirmware
    """
    update, plan = request.update, request.update.plan
    return {
        "location": request.location,
        "retrieveDateTime": moment(plan.retrieve_at or request.now),
        **({} if plan.install_at is None else {"installDateTime": moment(plan.install_at)}),
        **(
            {
                "signingCertificate": update.firmware.signing_certificate,
                "signature": update.firmware.signature,
            }
            if signed
            else {}
        ),
    }
