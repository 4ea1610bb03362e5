"""What a service asks a station for, as `command` reads it: with the secrets that are sealed on the way."""

from datetime import UTC, datetime
from typing import Final

import msgspec
from chargebus_events.commands import CommandForm, CommandRequested
from chargebus_runtime.sealing import Sealing

from chargebus_testkit.bed import SEALING_KEYS

_SEALING: Final = Sealing.of(SEALING_KEYS.get_secret_value())
_decode: Final = msgspec.json.Decoder(CommandRequested).decode


def asked(record: bytes) -> CommandRequested:
    """Return a request of a service that runs in a bed, its payloads in clear."""
    request = _decode(record)
    return msgspec.structs.replace(request, forms=tuple(_plain(form, request) for form in request.forms))


def _plain(form: CommandForm, request: CommandRequested) -> CommandForm:
    if not form.sealed:
        return form
    context = form.sealed_for(request.command_id, request.station_id)
    return msgspec.structs.replace(form, payload=msgspec.Raw(_SEALING.open(form.sealed, context, datetime.now(UTC))))
