"""The frames of the load: small OCPP 1.6 requests as bytes, and the few answers that are looked into."""

import base64

CALL_RESULT = b"[3,"
CALL = b"[2,"

SUBPROTOCOL = "ocpp1.6"

_TRANSACTION_ID = b'"transactionId":'


class UnexpectedAnswerError(Exception):
    """The system answered with an error, or with something that is no answer."""


def boot_notification(number: int) -> bytes:
    """Return a BootNotification."""
    return b'[2,"%d","BootNotification",{"chargePointVendor":"Chargebus","chargePointModel":"Bench"}]' % number


def heartbeat(number: int) -> bytes:
    """Return a Heartbeat."""
    return b'[2,"%d","Heartbeat",{}]' % number


def status_notification(number: int) -> bytes:
    """Return a StatusNotification."""
    return b'[2,"%d","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]' % number


def authorize(number: int, id_tag: bytes) -> bytes:
    """Return an Authorize."""
    return b'[2,"%d","Authorize",{"idTag":"%b"}]' % (number, id_tag)


def start_transaction(number: int, id_tag: bytes, meter_wh: int, at: bytes) -> bytes:
    """Return a StartTransaction."""
    return b'[2,"%d","StartTransaction",{"connectorId":1,"idTag":"%b","meterStart":%d,"timestamp":"%b"}]' % (
        number,
        id_tag,
        meter_wh,
        at,
    )


def meter_values(number: int, transaction_id: int, meter_wh: int, at: bytes) -> bytes:
    """Return MeterValues with one register reading."""
    return (
        b'[2,"%d","MeterValues",{"connectorId":1,"transactionId":%d,"meterValue":[{"timestamp":"%b","sampledValue":'
        b'[{"value":"%d","unit":"Wh","measurand":"Energy.Active.Import.Register"}]}]}]'
        % (number, transaction_id, at, meter_wh)
    )


def stop_transaction(number: int, transaction_id: int, meter_wh: int, at: bytes) -> bytes:
    """Return a StopTransaction."""
    return b'[2,"%d","StopTransaction",{"transactionId":%d,"meterStop":%d,"timestamp":"%b"}]' % (
        number,
        transaction_id,
        meter_wh,
        at,
    )


def accepted(call: bytes) -> bytes:
    """Return the answer `Accepted` to a call of the system."""
    return b'[3,"%b",{"status":"Accepted"}]' % call.split(b'"', 2)[1]


def issued_transaction(answer: bytes) -> int:
    """Return the transaction id in the answer to a StartTransaction.

    Raises:
        UnexpectedAnswerError: there is none.
    """
    _, found, rest = answer.partition(_TRANSACTION_ID)
    if not found:
        raise UnexpectedAnswerError(answer.decode(errors="replace"))
    return int(rest.rstrip(b"}] ").partition(b",")[0])


def basic_authorization(user: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
