"""What the CSMS said to the boot notification, and what the station may send therefore."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

OWN_RETRY_S: Final = 60.0
"""The station's own choice where the CSMS names no interval. Spec: OCPP 1.6 4.2; OCPP 2.0.1 B02.FR.06, B03.FR.05"""


class Status(StrEnum):
    """Where the registration stands; `UNKNOWN` from power-up until the first answer."""

    UNKNOWN = "Unknown"
    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class Origin(StrEnum):
    """Who wanted a message: the station itself, or the CSMS (TriggerMessage, GetBaseReport, …)."""

    STATION = "station"
    CSMS = "csms"


@dataclass
class Registration:
    """The registration of one station; it survives the connection but not a reboot."""

    status: Status = Status.UNKNOWN
    boot_due_at: datetime | None = None
    asked_for: bool = False
    """The CSMS wants a boot notification now, whatever the status."""

    def boot_wait_s(self, now: datetime) -> float | None:
        """Return the simulated seconds until the boot notification is due: 0 at once, None never."""
        if self.asked_for:
            return 0.0
        if self.status is Status.ACCEPTED:
            return None
        return 0.0 if self.boot_due_at is None else max(0.0, (self.boot_due_at - now).total_seconds())

    def answered(self, status: Status, interval_s: float, now: datetime) -> None:
        """Take the answer. Spec: OCPP 1.6 4.2; OCPP 2.0.1 B01.FR.05, B02.FR.06, B03.FR.05."""
        self.status = status
        self.asked_for = False
        self.boot_due_at = now + timedelta(seconds=interval_s if interval_s > 0 else OWN_RETRY_S)

    def failed(self, now: datetime) -> None:
        """Take it that the boot notification was refused or not answered."""
        self.asked_for = False
        self.boot_due_at = now + timedelta(seconds=OWN_RETRY_S)

    def may_send(self, origin: Origin) -> bool:
        """Whether a CALL other than BootNotification may go out now.

        Spec: OCPP 1.6 4.2; OCPP 2.0.1 B01.FR.08, B02.FR.02, B03.FR.02
        """
        return self.status is Status.ACCEPTED or (self.status is Status.PENDING and origin is Origin.CSMS)
