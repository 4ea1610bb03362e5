"""The tables of credentials: in which words stations are told something, and what their answers mean."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from chargebus_commanding import Form, Outcome
from chargebus_ocppj.payloads import clean

from chargebus_security.credentials import v16, v201
from chargebus_security.credentials.domain.campaign import Campaign
from chargebus_security.credentials.domain.facts import Answer, Order, Tell, Told
from chargebus_security.credentials.domain.upgrade import Upgrade

V16: Final = ("1.6",)
V2: Final = ("2.0.1", "2.1")

_ANSWERS: Final[Mapping[str, Answer]] = {"Accepted": "accepted", "Scheduled": "accepted", "RebootRequired": "reboot"}
_REFUSALS: Final = frozenset(
    {"Rejected", "NotSupported", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType", "Failed"}
)
"""The words after which a station surely has not done what it was told; any other one may mean that it has."""
_SURE: Final = frozenset(
    {
        "NotImplemented",
        "NotSupported",
        "FormatViolation",
        "FormationViolation",
        "PropertyConstraintViolation",
        "OccurenceConstraintViolation",
        "OccurrenceConstraintViolation",
        "TypeConstraintViolation",
        "SecurityError",
    }
)
"""The errors after which a station surely has not done what it was told; after another one it may have."""


class Subject(msgspec.Struct, frozen=True):
    """What comes back with an answer: whose campaign it is, and what was told."""

    campaign_id: str
    order: Order


_subject: Final = msgspec.json.Decoder(Subject).decode


def subject_of(outcome: Outcome) -> Subject:
    """Return what an outcome is about."""
    return _subject(outcome.subject)


def password_forms(secret: str) -> tuple[Form, ...]:
    """Return the forms that bring a new password."""
    return (
        Form.of(V16, "ChangeConfiguration", v16.password(secret)),
        Form.of(V2, "SetVariables", v201.password(secret)),
    )


def reset_forms(campaign: Campaign) -> tuple[Form, ...]:
    """Return the forms that restart a station as the campaign has it; none for a version that cannot do so."""
    at_any_time = campaign.rules.reset == "any"
    old = v16.reset(at_any_time=at_any_time)
    forms = () if old is None else (Form.of(V16, "Reset", old),)
    return (*forms, Form.of(V2, "Reset", v201.reset(at_any_time=at_any_time)))


def upgrade_forms(tell: Tell, campaign: Campaign, work: Upgrade) -> tuple[Form, ...]:
    """Return the forms of a step on the way to another profile."""
    if tell.order == "reset":
        return reset_forms(campaign)
    if tell.order == "profile":
        return (Form.of(V16, "ChangeConfiguration", v16.profile(tell.value)),)
    if tell.order == "read":
        return (Form.of(V2, "GetVariables", v201.read_priority()),)
    if tell.order == "slots":
        return (Form.of(V2, "GetVariables", v201.read_slots(tell.value.split(","))),)
    if tell.order == "network" and campaign.network is not None and work.slot is not None:
        return tuple(
            Form.of((version,), "SetNetworkProfile", v201.network(campaign.network, work.slot, campaign.profile, named))
            for version, named in (("2.0.1", "OCPP20"), ("2.1", None))
        )
    return (Form.of(V2, "SetVariables", v201.priority(tell.value)),)


def told_of(outcome: Outcome, order: Order) -> Told:
    """Return what an outcome means for what was told."""
    if outcome.name in ("undeliverable", "expired"):
        return Told(order, "unreached", outcome.why)
    if outcome.name == "timed_out":
        return Told(order, "unknown", outcome.why)
    if outcome.name == "refused":
        return Told(order, "refused" if outcome.error_code in _SURE else "unknown", outcome.why)
    if order == "slots":
        return Told(order, "accepted", value=v201.held_slots(outcome.members))
    if outcome.action in ("SetVariables", "GetVariables"):
        return _variable_told(outcome, order)
    return _word_told(outcome, order, outcome.status, outcome.status_info)


def _variable_told(outcome: Outcome, order: Order) -> Told:
    list_name = "getVariableResult" if outcome.action == "GetVariables" else "setVariableResult"
    found = v201.result(outcome.members, list_name)
    info = found.get("attributeStatusInfo")
    why = _text(info.get("reasonCode")) if isinstance(info, dict) else ""
    told = _word_told(outcome, order, _text(found.get("attributeStatus")), why)
    return msgspec.structs.replace(told, value=_text(found.get("attributeValue")))


def _word_told(outcome: Outcome, order: Order, word: str, why: str) -> Told:
    said = ": ".join(filter(None, (word, why)))
    if not word:
        return Told(order, "unknown", outcome.why or "it gave no status")
    if word in _REFUSALS and not outcome.broken:
        return Told(order, "refused", said, word)
    return Told(order, _ANSWERS.get(word, "unknown"), said, word)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever the station sent
    return clean(value) if isinstance(value, str) else ""
