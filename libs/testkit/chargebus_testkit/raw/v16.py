"""Payloads of OCPP 1.6: a test writes what matters to it, `more` are any other members, with the names of the wire."""

from typing import Any

Json = dict[str, Any]


def boot(**more: object) -> Json:
    """Return a BootNotification."""
    return {"chargePointVendor": "Raw", "chargePointModel": "R16", **more}


def start(at: str, wh: float, driver: str = "ALICE", connector_id: int = 1, **more: object) -> Json:
    """Return a StartTransaction."""
    return {"connectorId": connector_id, "idTag": driver, "meterStart": wh, "timestamp": at, **more}


def stop(transaction_id: int, at: str, wh: float, **more: object) -> Json:
    """Return a StopTransaction; without `idTag`, the station stopped by itself."""
    return {"transactionId": transaction_id, "meterStop": wh, "timestamp": at, **more}


def meter_values(at: str, wh: float, transaction_id: int | None = None, connector_id: int = 1, **more: object) -> Json:
    """Return MeterValues with one reading of the import register; `more` are members of that reading."""
    of = {} if transaction_id is None else {"transactionId": transaction_id}
    return {"connectorId": connector_id, **of, "meterValue": [{"timestamp": at, "sampledValue": [reading(wh, **more)]}]}


def reading(value: float | str, **more: object) -> Json:
    """Return a sampledValue of the import register in Wh."""
    return {"value": f"{value}", "measurand": "Energy.Active.Import.Register", "unit": "Wh", **more}


def status(status: str = "Available", connector_id: int = 1, **more: object) -> Json:
    """Return a StatusNotification."""
    return {"connectorId": connector_id, "errorCode": "NoError", "status": status, **more}
