"""OCPP 2.x: what the station knows of a customer: what its cache and its local list say of a token, told in parts."""

from collections.abc import Mapping
from typing import Any, Final

from chargebus_ocppj.timestamps import format_timestamp

from chargebus_station.commands import CommandDecider
from chargebus_station.dialect import Handler
from chargebus_station.effects import Message, Reply, Tell, status

Payload = dict[str, Any]

LONGEST: Final = 24
"""How many characters a part has: few, so that there are several."""

NO_DATA: Final = "no data"


def customer_information(decider: CommandDecider, payload: Payload) -> Reply:
    """Tell, clear, or both; of a customer identifier or a certificate nothing is known here.

    Spec: OCPP 2.0.1 N09.FR.01 to FR.06, N10.FR.01 to FR.06
    """
    if not (payload["report"] or payload["clear"]):
        return status("Rejected")
    token = payload.get("idToken", {}).get("idToken", "")
    known = _known(decider, token)
    if payload["clear"]:
        decider.state.cache.pop(token, None)
    return status("Accepted", *([_told(decider, payload["requestId"], known)] if payload["report"] else []))


def _known(decider: CommandDecider, token: str) -> str:
    places = {"cache": decider.state.cache, "local list": decider.state.local_list}
    said = [f"{token} is {held[token]} in the {place}" for place, held in places.items() if token in held]
    return "\n".join(said) or NO_DATA


def _told(decider: CommandDecider, request_id: int, text: str) -> Tell:
    parts = [text[first : first + LONGEST] for first in range(0, len(text), LONGEST)]
    stem = {"generatedAt": format_timestamp(decider.now), "requestId": request_id}
    told = (
        Message(
            "NotifyCustomerInformation",
            {"data": part, "tbc": number < len(parts) - 1, "seqNo": number, **stem},
        )
        for number, part in enumerate(parts)
    )
    return Tell(tuple(told))


COMMANDS: Final[Mapping[str, Handler]] = {"CustomerInformation": customer_information}
