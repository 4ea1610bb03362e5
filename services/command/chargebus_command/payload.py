"""Whether a command can be sent in an OCPP version: the action table and the official schemas."""

from collections.abc import Callable, Iterable

from chargebus_events.commands import CommandForm
from chargebus_ocppj.actions import lookup
from chargebus_ocppj.errors import OcppError
from chargebus_ocppj.schemas import validate_call
from chargebus_ocppj.versions import VERSIONS, Version

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
