"""OCPP 2.0.1 and 2.1: the message that asks for an update."""

from chargebus_firmware.updates.payload import Request, firmware


def update_firmware(request: Request) -> dict[str, object]:
    """Return UpdateFirmware; with certificate and signature where the firmware has them.

    Spec: OCPP 2.0.1 L01.FR.10 (signed), L02 (not signed)
    """
    plan = request.update.plan
    return {
        "retries": plan.retries,
        "retryInterval": plan.retry_interval_s,
        "requestId": request.update.request_id,
        "firmware": firmware(request, signed=request.update.firmware.is_signed),
    }
