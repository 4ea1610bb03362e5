"""Payloads of OCPP 2.0.1 and 2.1: a test writes what matters to it, `more` are any other members, by wire names."""

from typing import Any, Final

Json = dict[str, Any]

_CONTEXTS: Final = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}
_TRIGGERS: Final = {"Started": "Authorized", "Updated": "MeterValuePeriodic", "Ended": "StopAuthorized"}


def boot(**more: object) -> Json:
    """Return a BootNotification."""
    return {"reason": "PowerUp", "chargingStation": {"vendorName": "Raw", "model": "R201"}, **more}


def started(transaction_id: str, seq_no: int, at: str, wh: float | None, driver: str = "ALICE", **more: object) -> Json:
    """Return a Started by a card at EVSE 1; an empty one is none."""
    by = {"idToken": id_token(driver)} if driver else {}
    return event("Started", transaction_id, seq_no, at, wh, **{"evse": {"id": 1, "connectorId": 1}, **by, **more})


def updated(transaction_id: str, seq_no: int, at: str, wh: float | None, **more: object) -> Json:
    """Return an Updated."""
    return event("Updated", transaction_id, seq_no, at, wh, **more)


def ended(transaction_id: str, seq_no: int, at: str, wh: float | None, **more: object) -> Json:
    """Return an Ended."""
    return event("Ended", transaction_id, seq_no, at, wh, **more)


def event(kind: str, transaction_id: str, seq_no: int, at: str, wh: float | None, **more: Any) -> Json:  # noqa: ANN401
    """Return a TransactionEvent with a reading of the import register, without one if `wh` is None.

    Beside members of the message, `more` may hold the `context` of the reading, by default what fits the kind, and
    `info`, more members of transactionInfo.
    """
    info, context = more.pop("info", {}), more.pop("context", _CONTEXTS.get(kind, "Sample.Periodic"))
    values = {} if wh is None else {"meterValue": [meter_value(at, wh, context=context)]}
    return {
        "eventType": kind,
        "timestamp": at,
        "triggerReason": _TRIGGERS[kind],
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": transaction_id, **info},
        **values,
        **more,
    }


def meter_value(at: str, *values: float, **more: object) -> Json:
    """Return a meterValue with readings; `more` are members of each."""
    return {"timestamp": at, "sampledValue": [reading(value, **more) for value in values]}


def meter_values(at: str, wh: float, evse_id: int = 1, **more: object) -> Json:
    """Return MeterValues with one reading, outside of a transaction; `more` are members of the reading."""
    return {"evseId": evse_id, "meterValue": [meter_value(at, wh, **more)]}


def reading(value: float, **more: object) -> Json:
    """Return a sampledValue of the import register in Wh."""
    return {"value": value, "measurand": "Energy.Active.Import.Register", **more}


def id_token(text: str, kind: str = "ISO14443") -> Json:
    """Return an idToken."""
    return {"idToken": text, "type": kind}


def status(status: str = "Available", evse_id: int = 1, *, at: str, **more: object) -> Json:
    """Return a StatusNotification."""
    return {"timestamp": at, "connectorStatus": status, "evseId": evse_id, "connectorId": 1, **more}
