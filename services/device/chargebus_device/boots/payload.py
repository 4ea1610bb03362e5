"""The answer to a boot, the same in every version."""

from typing import Any

from chargebus_events.record import timestamp

from chargebus_device.boots.domain import BootAnswer, BootReport


def boot_answer(_report: BootReport, answer: BootAnswer) -> dict[str, Any]:
    """Return the answer to a BootNotification.

    Spec: OCPP 1.6 6.4; OCPP 2.0.1 BootNotificationResponse (statusInfo is optional and left out)
    """
    return {
        "status": answer.registration.capitalize(),
        "currentTime": timestamp(answer.now),
        "interval": answer.interval_s,
    }
