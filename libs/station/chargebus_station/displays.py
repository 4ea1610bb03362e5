"""OCPP 2.x: the messages on the station's display: kept up to a number, dropped at their end, reported in parts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from chargebus_ocppj.timestamps import parse_timestamp

from chargebus_station.commands import CommandDecider
from chargebus_station.device_model import VariableAddress, split
from chargebus_station.dialect import Handler
from chargebus_station.effects import Message, Reply, Tell, status

Payload = dict[str, Any]

MOST: Final = 20
"""How many messages the display holds."""

CONTROLLER: Final = "DisplayMessageCtrlr"
_COUNTS: Final = ("NumberDisplayMessages", "DisplayMessages")

PER_PART: Final = 2
"""How many of them a report tells at once."""


def set_display_message(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 O01, O01.FR.03 to FR.05, O02.FR.01, O06; a message of the same number is replaced."""
    message = payload["message"]
    held = current(decider)
    if "transactionId" in message and decider.state.transaction(message["transactionId"]) is None:
        return status("UnknownTransaction")
    texts = (message["message"], *message.get("messageExtra", ()))
    for variable, values, refusal in (
        ("SupportedFormats", {text["format"] for text in texts}, "NotSupportedMessageFormat"),
        ("SupportedPriorities", {message["priority"]}, "NotSupportedPriority"),
        ("SupportedStates", {message["state"]} if "state" in message else set(), "NotSupportedState"),
    ):
        if not values <= set(split(decider.state.device.value(VariableAddress(CONTROLLER, variable)))):
            return status(refusal)
    if message["id"] not in held and len(held) >= MOST:
        return status("Rejected")
    held[message["id"]] = message
    _count(decider)
    return status("Accepted")


def get_display_messages(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 O03, O04."""
    found = [
        message
        for number, message in current(decider).items()
        if number in payload.get("id", [number])
        and all(message.get(name) == payload[name] for name in ("priority", "state") if name in payload)
    ]
    if not found:
        return status("Unknown")
    parts = [found[first : first + PER_PART] for first in range(0, len(found), PER_PART)]
    told = (
        Message(
            "NotifyDisplayMessages",
            {"requestId": payload["requestId"], "tbc": number < len(parts), "messageInfo": part},
        )
        for number, part in enumerate(parts, 1)
    )
    return status("Accepted", Tell(tuple(told)))


def clear_display_message(decider: CommandDecider, payload: Payload) -> Reply:
    """Spec: OCPP 2.0.1 O05."""
    cleared = current(decider).pop(payload["id"], None)
    _count(decider)
    return status("Unknown" if cleared is None else "Accepted")


def current(decider: CommandDecider) -> dict[int, Payload]:
    """Return the messages that are not over: neither by their end nor by that of their transaction.

    Spec: OCPP 2.0.1 O01.FR.07, O02.FR.02
    """
    held = decider.state.displays
    for number, message in list(held.items()):
        ended = "transactionId" in message and decider.state.transaction(message["transactionId"]) is None
        if ended or _is_over(message, decider.now):
            del held[number]
    return held


def _count(decider: CommandDecider) -> None:
    """Show how many messages there are, by the name that the version has for it."""
    for name in _COUNTS:
        address = VariableAddress(CONTROLLER, name)
        if decider.state.device.get(address) is not None:
            decider.state.device.put(address, str(len(decider.state.displays)))


def _is_over(message: Payload, now: datetime) -> bool:
    return "endDateTime" in message and parse_timestamp(message["endDateTime"]) <= now


COMMANDS: Final[Mapping[str, Handler]] = {
    "ClearDisplayMessage": clear_display_message,
    "GetDisplayMessages": get_display_messages,
    "SetDisplayMessage": set_display_message,
}
