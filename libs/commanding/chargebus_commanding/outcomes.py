"""What came of a command, typed; and the table that says what a service does about it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from chargebus_events.commands import CommandOutcome, OutcomeName, RawOrNone
from chargebus_events.record import Received
from chargebus_ocppj.payloads import clean

from chargebus_commanding.asking import Transaction

_read = msgspec.json.Decoder(CommandOutcome).decode


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """The one end of a command.

    `name` is `answered` (the station's answer is `payload`, which may itself be a refusal: see `status`), `refused` (by
    a CALLERROR: the `error_` fields), `timed_out` (nobody knows what the station made of it), or `undeliverable` or
    `expired` (it never reached the station). `action` and `version` are those of the form that was sent, empty where
    none was; `reason` says in words why it was not answered, or what is wrong with the answer (it is `broken` then).
    """

    command_id: str
    station_id: str
    intent: str
    subject: str
    name: OutcomeName
    ended_at: datetime
    action: str = ""
    version: str = ""
    payload: RawOrNone = None
    error_code: str = ""
    error_description: str = ""
    error_details: RawOrNone = None
    reason: str = ""

    @property
    def status(self) -> str:
        """The station's own word, such as Accepted or Rejected; empty where it gave none."""
        return self._text(self.members.get("status"))

    @property
    def broken(self) -> bool:
        """Whether the station answered with something that breaks its schema: its words may not mean what they say."""
        return self.name == "answered" and bool(self.error_code)

    @property
    def reason_code(self) -> str:
        """What a station of OCPP 2.x adds to its status, as a code; empty where it gave none."""
        return self._info("reasonCode")

    @property
    def additional_info(self) -> str:
        """What it adds to that, in words; empty where it gave none."""
        return self._info("additionalInfo")

    @property
    def status_info(self) -> str:
        """Both of these, in one line."""
        return ": ".join(filter(None, (self.reason_code, self.additional_info)))

    @property
    def why(self) -> str:
        """Why it did not end as it was meant, in words; empty where nothing was said."""
        error = ": ".join(filter(None, (self._text(self.error_code), self._text(self.error_description))))
        return self._text(self.reason) or error or self.status_info

    @property
    def members(self) -> Mapping[str, Any]:
        """The members of the station's answer, whatever it sent: its schema may be broken."""
        decoded = {} if self.payload is None else msgspec.json.decode(self.payload)
        return decoded if isinstance(decoded, dict) else {}

    def _info(self, member: str) -> str:
        info = self.members.get("statusInfo")
        return self._text(info.get(member)) if isinstance(info, dict) else ""

    @staticmethod
    def _text(value: object) -> str:
        return clean(str(value)) if value else ""


Apply = Callable[[Transaction, Sequence[Outcome]], Awaitable[None]]
Intents = Mapping[str, Apply]
"""What a service does about the outcomes of each intent: all of a batch's at once, in the batch's transaction."""


def outcome_of(record: Received) -> Outcome:
    """Return the outcome that a record tells.

    Raises:
        msgspec.ValidationError: it is none.
    """
    told = _read(record.value or b"")
    return Outcome(
        command_id=told.command_id,
        station_id=told.station_id,
        intent=told.intent,
        subject=told.subject,
        name=told.outcome,
        ended_at=told.ended_at,
        action=told.action,
        version=told.version,
        payload=told.payload,
        error_code=told.error_code,
        error_description=told.error_description,
        error_details=told.error_details,
        reason=told.reason,
    )
