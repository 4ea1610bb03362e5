"""Misbehaviour on request: what a station is told to do wrong, and how often.

Faults that wait for an occasion (an answer to lose, a command to ignore) are armed here and used up by the station as
the occasions come; those that a test does at a moment of its choosing (a second socket, garbage) are functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

ANY: Final = "*"


class Fault(StrEnum):
    """What can be armed."""

    LOSE_ANSWER = "drop the answer as if it never came; the message is resent after the time-out"
    RESEND_ANSWERED = "send a message again that was already answered, with a new message id"
    REPEAT_ANSWERED = "send a message again that was already answered, with the same message id"
    DROP_AFTER_SENDING = "tear the socket down as soon as the call is written"
    HOLD_BACK = "keep a transaction event back and send it after the end of its transaction (2.x)"
    IGNORE_COMMAND = "do not answer a call of the CSMS"
    REFUSE_COMMAND = "answer a call of the CSMS with a CALLERROR"
    FAIL_COMMAND = "answer a call of the CSMS with Failed, and do nothing (InstallCertificate, DeleteCertificate)"
    INVALID_ANSWER = "answer a call of the CSMS with a payload that its schema forbids"
    FAIL_DOWNLOAD = "load nothing of an image, as if it could not be reached (UpdateFirmware)"
    BREAK_OFF_TRANSFER = "lose the connection in the middle of a file (UpdateFirmware, GetLog, GetDiagnostics)"
    FAIL_SIGNATURE = "find the signature of an image to be wrong (UpdateFirmware)"
    FAIL_VERIFICATION = "find an image to be broken (UpdateFirmware)"
    FAIL_INSTALLATION = "fail to install an image (UpdateFirmware)"
    KEEP_VERSION = "say that an image is installed, and boot with the version that was there (UpdateFirmware)"
    SKIP_STATUSES = "boot with the new version without a word of it (UpdateFirmware)"
    FAIL_UPLOAD = "send no log, as if nobody took it (GetLog, GetDiagnostics)"
    UPLOAD_TWICE = "send a log two times (GetLog, GetDiagnostics)"
    SAY_UPLOADED = "say that a log is sent which is not (GetLog, GetDiagnostics)"
    DROP_ON_COMMAND = "tear the socket down when a call of the CSMS arrives, without an answer"


@dataclass
class Faults:
    """The armed faults of one station, by the action that they wait for (or `ANY`).

    For transaction events of 2.x the action may name the kind, too: `TransactionEvent/Ended`.
    """

    _armed: dict[tuple[Fault, str], int] = field(default_factory=dict)
    taken: list[tuple[Fault, str]] = field(default_factory=list)
    """What was really done, in order."""

    def arm(self, fault: Fault, action: str = ANY, times: int = 1) -> None:
        """Do it wrong the next so many times."""
        key = (fault, action)
        self._armed[key] = self._armed.get(key, 0) + times

    def take(self, fault: Fault, action: str, kind: str = "") -> bool:
        """Whether to do it wrong now; counts it."""
        for name in (f"{action}/{kind}", action, ANY):
            if self._armed.get((fault, name), 0) > 0:
                self._armed[fault, name] -= 1
                self.taken.append((fault, action))
                return True
        return False


def _deep(levels: int) -> str:
    return "[" * levels + "]" * levels


GARBAGE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "not json": "{this is not JSON",
        "truncated": '[2,"g-1","Heartbeat",{',
        "no value": '[2,"g-2","MeterValues",{"connectorId":1,"transactionId":,"meterValue":[]}]',
        "not an array": '{"action":"Heartbeat"}',
        "empty array": "[]",
        "unknown message type": '[9,"g-3","Heartbeat",{}]',
        "message type as text": '["2","g-4","Heartbeat",{}]',
        "numeric message id": '[2,5,"Heartbeat",{}]',
        "empty message id": '[2,"","Heartbeat",{}]',
        "long message id": f'[2,"{"g" * 100}","Heartbeat",{{}}]',
        "unknown action": '[2,"g-6","MakeCoffee",{}]',
        "bad payload": '[2,"g-7","BootNotification",{"nonsense":true}]',
        "payload is text": '[2,"g-8","Heartbeat","now"]',
        "too few elements": '[2,"g-9"]',
        "deeply nested": f'[2,"g-10","DataTransfer",{{"vendorId":"x","data":{_deep(2000)}}}]',
        "control characters": '[2,"g-11","Authorize",{"idTag":"AB\\u0000\\u0001"}]',
        "answer to nothing": '[3,"g-12",{}]',
        "error to nothing": '[4,"g-13","InternalError","","details as text"]',
        "oversize": f'[2,"g-14","DataTransfer",{{"vendorId":"x","data":"{"x" * 2_000_000}"}}]',
    }
)
"""Frames that no station should send, by what is wrong with them."""
