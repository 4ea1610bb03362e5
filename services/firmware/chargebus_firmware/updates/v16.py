"""OCPP 1.6: the messages that ask for an update."""

from chargebus_firmware.updates.payload import Request, firmware, moment


def update_firmware(request: Request) -> dict[str, object]:
    """Return UpdateFirmware, which knows neither a number, nor a time to install, nor who signed.

    Spec: OCPP 1.6 5.19, 6.53
    """
    plan = request.update.plan
    return {
        "location": request.location,
        "retries": plan.retries,
        "retrieveDate": moment(plan.retrieve_at or request.now),
        "retryInterval": plan.retry_interval_s,
    }


def signed_update_firmware(request: Request) -> dict[str, object]:
    """Return SignedUpdateFirmware of the security extension.

    Spec: OCPP 1.6 security white paper L01
    """
    plan = request.update.plan
    return {
        "retries": plan.retries,
        "retryInterval": plan.retry_interval_s,
        "requestId": request.update.request_id,
        "firmware": firmware(request, signed=True),
    }
