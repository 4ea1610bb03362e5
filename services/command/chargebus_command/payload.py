"""What a command's payload is held to: whether it can be sent in an OCPP version, and how it is kept meanwhile."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
from chargebus_events.commands import CommandForm
from chargebus_ocppj.actions import lookup
from chargebus_ocppj.errors import OcppError
from chargebus_ocppj.masking import MASK
from chargebus_ocppj.schemas import validate_call
from chargebus_ocppj.secrets import STANDARD, Secrets
from chargebus_ocppj.versions import VERSIONS, Version
from chargebus_runtime.sealing import SETTING, Sealing, SealingError

from chargebus_command.domain.state import Command

log = logging.getLogger(__name__)

UNREADABLE: Final = (
    f"what it holds is sealed and cannot be opened: its key is not in {SETTING} of command, or its time is over"
)

NO_KEYS: Final = Sealing()

_NULL: Final = msgspec.Raw(b"null")
_SLACK: Final = timedelta(hours=1)

_BY_NAME: dict[str, Version] = {version: version for version in VERSIONS}


def misfit(form: CommandForm, version: str) -> str:
    """Say why the CSMS cannot send this form of a command in `version`, or return an empty string."""
    action, payload = form.action, bytes(form.payload)
    known = _BY_NAME.get(version)
    if known is None:
        return f"OCPP {version} is not known"
    if lookup(known, action, "csms") is None:
        return f"{action} is not a command of OCPP {version}"
    try:
        validate_call(known, action, payload)
    except OcppError as error:
        return f"the payload of {action} breaks the schema of OCPP {version}: {error.description}"
    return ""


def versions_with(action: str) -> tuple[Version, ...]:
    """Return the versions in which the CSMS may send the action."""
    return tuple(version for version in VERSIONS if lookup(version, action, "csms") is not None)


def misfits(why: Callable[[CommandForm, str], str], form: CommandForm, versions: Iterable[str]) -> list[str]:
    """Say, version by version, why a form cannot be sent; an empty list: one of the versions takes it."""
    found = [why(form, version) for version in versions]
    return found if all(found) else []


@dataclass(frozen=True)
class Keeping:
    """How payloads are kept until their station has them: secrets masked where they are shown, sealed where they wait.

    Attributes:
        secrets: what is secret.
        secret_names: what of that an operator added to the table.
        sealing: with what it is sealed; without a key it waits as it is.
    """

    secrets: Secrets = STANDARD
    secret_names: tuple[str, ...] = ()
    sealing: Sealing = NO_KEYS

    @classmethod
    def of(cls, secret_names: Sequence[str], sealing: Sealing = NO_KEYS) -> "Keeping":
        """Return the table of secrets with what an operator adds to it, and what seals them."""
        return cls(Secrets.of(secret_names), tuple(secret_names), sealing)

    def waiting(self, command: Command) -> tuple[CommandForm, ...]:
        """Return a command's forms as they may wait in the database."""
        if not self.sealing.has_keys:
            return command.forms
        return tuple(self._sealed(command, form) for form in command.forms)

    def opened(
        self, forms: Sequence[CommandForm], command_id: str, station_id: str, now: datetime
    ) -> tuple[CommandForm, ...]:
        """Return forms with what was sealed of them; one that cannot be opened stays as it is, and is not sent."""
        if not any(form.sealed for form in forms):
            return tuple(forms)
        return tuple(self._opened(form, form.sealed_for(command_id, station_id), now) for form in forms)

    def shown(self, form: CommandForm) -> bytes:
        """Return a form's payload as it may be shown."""
        return msgspec.json.encode(MASK) if form.sealed else self.secrets.masked_call(form.action, bytes(form.payload))

    def _sealed(self, command: Command, form: CommandForm) -> CommandForm:
        payload = bytes(form.payload)
        if form.sealed or self.secrets.masked_call(form.action, payload) == payload:
            return form
        context = form.sealed_for(command.command_id, command.station_id)
        until = command.expires_at + timedelta(seconds=command.timeout_s) + _SLACK
        return msgspec.structs.replace(form, payload=_NULL, sealed=self.sealing.seal(payload, context, until))

    def _opened(self, form: CommandForm, context: str, now: datetime) -> CommandForm:
        if not form.sealed:
            return form
        try:
            plain = self.sealing.open(form.sealed, context, now)
        except SealingError as error:
            log.warning("%s cannot be sent: %s", context, error)
            return form
        return msgspec.structs.replace(form, payload=msgspec.Raw(plain), sealed="")


AS_IT_IS: Final = Keeping()
