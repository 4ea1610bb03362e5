"""What is known of members by their names: what it means that one is not there, and how exact its number must be."""

from collections.abc import Mapping
from typing import Any, Final


class Absent:
    """Stands for what is left out."""


ABSENT: Final = Absent()

# What a required member means that is not there, by action and place; a date and time is that of arrival (`""` to
# readers), a list is empty. What is not here has no meaning of its own.
MEANINGS: Final[Mapping[str, Any]] = {
    "BootNotification/chargePointVendor": "",
    "BootNotification/chargePointModel": "",
    "BootNotification/chargingStation": {},
    "BootNotification/chargingStation/vendorName": "",
    "BootNotification/chargingStation/model": "",
    "BootNotification/reason": "Unknown",
    "StatusNotification/errorCode": "NoError",
    "StartTransaction/idTag": "",
    "StartTransaction/meterStart": ABSENT,
    "StopTransaction/meterStop": ABSENT,
    "StopTransaction/transactionId": -1,  # what stations say that never learned it. Spec: OCPP 1.6 errata 3.18
    "TransactionEvent/triggerReason": "",
    "TransactionEvent/seqNo": ABSENT,
    "NotifyReport/seqNo": ABSENT,
    "NotifyMonitoringReport/seqNo": ABSENT,
    "NotifyEvent/seqNo": ABSENT,
    "SecurityEventNotification/type": "",
    # of any action
    "vendorId": "",
    "idToken/type": "",
    "signedMeterValue/publicKey": "",
    "signedMeterValue/signingMethod": "",
    "signedMeterValue/encodingMethod": "",
}
MEANINGS_BY_TYPE: Final[Mapping[str, Any]] = {"array": [], "time": ""}

ONE_OF: Final[Mapping[str, frozenset[str]]] = {"StopTransaction": frozenset({"transactionId", "meterStop"})}
"""Members of an action of which one must be there: without any of them it tells of nothing."""

ALONE: Final[Mapping[str, str]] = {
    "idToken": "idToken",
    "evse": "id",
    "transactionInfo": "transactionId",
    "sampledValue/*": "value",
    "unitOfMeasure": "unit",
}
"""Objects in whose place their one member that matters may stand alone, by the end of their path: `"idToken": "A"`."""

DECISIVE: Final = frozenset({"measurand", "phase", "unit", "multiplier", "unitOfMeasure", "format"})
"""Optional members without which a reading would mean something else: one that cannot be read costs the reading."""

# Whole numbers that name something: a fraction of one names nothing.
NAMES: Final = frozenset(
    {
        "cause",
        "connectorId",
        "eventId",
        "evseId",
        "id",
        "remoteStartId",
        "requestId",
        "reservationId",
        "seqNo",
        "transactionId",
        "variableMonitoringId",
    }
)
AMOUNTS: Final = frozenset({"meterStart", "meterStop"})
"""Whole numbers of Wh, of which a fraction counts."""

ANY_JSON: Final = frozenset({"DataTransfer/data"})
"""Texts in which anything may stand, as JSON."""

READINGS: Final = frozenset({"meterValue/*", "transactionData/*"})
"""Parts of a message with a time of their own, in place of which the message's does."""
