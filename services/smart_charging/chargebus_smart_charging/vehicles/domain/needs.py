"""What a driver needs, and who tells it: the vehicle, somebody over HTTP, the class of the token, the site."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from string import ascii_uppercase
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec

from chargebus_smart_charging.sites.domain.site import Policy

Kind: TypeAlias = Literal["id_token", "group", "type"]
Source: TypeAlias = Literal["api", "vehicle", "class", "site"]
Answer: TypeAlias = Literal["planned", "unplanned", "not offered"]
"""What becomes of needs: a profile comes of them; the EVSE is nobody's to plan; what they want was not offered."""

_WITHOUT_CASE: Final = {ord(upper): upper.lower() for upper in ascii_uppercase}

_T = TypeVar("_T")

OVERSTAYS_S: Final = 3600.0
"""How much longer a vehicle is taken to stay that has not left when it should have."""


class Needs(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was told of a session: energy since its start, until when, and the weight of its share; None: not told."""

    energy_wh: float | None = None
    departs_at: datetime | None = None
    priority: float | None = None


class EvNeeds(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a vehicle told by NotifyEVChargingNeeds; `energy_wh` counts from the session's `from_wh` on.

    Amperes are of each of its phases, `phases` is their number where its energy transfer mode says so.

    Spec: OCPP 2.0.1 K15, K17
    """

    told_at: datetime
    energy_wh: float | None = None
    departs_at: datetime | None = None
    min_a: float | None = None
    max_a: float | None = None
    max_w: float | None = None
    phases: int | None = None
    from_wh: float = 0.0


class ClassNeeds(msgspec.Struct, frozen=True):
    """What drivers of a class need: those with a token, one of a group, or of a type (`eMAID`, `ISO14443`, …)."""

    kind: Kind
    value: str
    energy_wh: float | None = None
    stay_s: float | None = None
    priority: float | None = None


Classes: TypeAlias = Mapping[tuple[str, str], ClassNeeds]
"""Kind and value → what drivers of the class need."""


def class_value(kind: Kind, value: str) -> str:
    """Return the value by which a class is found: tokens, and so groups, are compared without the case of A to Z."""
    return value if kind == "type" else value.translate(_WITHOUT_CASE)


def classes_of(id_token: str, token_group: str, id_token_type: str) -> tuple[tuple[Kind, str], ...]:
    """Return the classes of a token, the closest first."""
    named: tuple[tuple[Kind, str], ...] = (("id_token", id_token), ("group", token_group), ("type", id_token_type))
    return tuple((kind, class_value(kind, value)) for kind, value in named if value)


class Wanted(msgspec.Struct, frozen=True):
    """What is planned for: energy since the session's start, departure, the weight of its share, and who says so."""

    energy_wh: float
    energy_source: Source
    departs_at: datetime
    departs_source: Source
    priority: float
    preferred: bool = False


class Told(msgspec.Struct, frozen=True):
    """All that was told of the needs of a session."""

    began_at: datetime
    id_token: str = ""
    token_group: str = ""
    id_token_type: str = ""
    asked: Needs = Needs()
    ev: EvNeeds | None = None
    preferred: bool = False


def wanted(told: Told, classes: Classes, policy: Policy) -> Wanted:
    """Return what is planned for: of each need what was told by whom knows it best (HTTP, vehicle, class, site)."""
    of_class = _class_of(told, classes)
    energy: list[tuple[float | None, Source]] = [
        (told.asked.energy_wh, "api"),
        (_of_ev(told.ev), "vehicle"),
        (of_class.energy_wh, "class"),
    ]
    stays = None if of_class.stay_s is None else told.began_at + timedelta(seconds=of_class.stay_s)
    departs: list[tuple[datetime | None, Source]] = [
        (told.asked.departs_at, "api"),
        (told.ev.departs_at if told.ev else None, "vehicle"),
        (stays, "class"),
    ]
    energy_wh, energy_source = _first(energy, (policy.energy_wh, "site"))
    departs_at, departs_source = _first(departs, (told.began_at + timedelta(seconds=policy.stay_s), "site"))
    priority = next((each for each in (told.asked.priority, of_class.priority) if each is not None), 1.0)
    return Wanted(energy_wh, energy_source, departs_at, departs_source, priority, told.preferred)


def _first(told: list[tuple[_T | None, Source]], default: tuple[_T, Source]) -> tuple[_T, Source]:
    return next(((value, source) for value, source in told if value is not None), default)


def _of_ev(ev: EvNeeds | None) -> float | None:
    return None if ev is None or ev.energy_wh is None else ev.from_wh + ev.energy_wh


def _class_of(told: Told, classes: Classes) -> ClassNeeds:
    named = classes_of(told.id_token, told.token_group, told.id_token_type)
    return next((classes[each] for each in named if each in classes), ClassNeeds("type", ""))


class ChargingNeeds(msgspec.Struct, frozen=True):
    """What a vehicle at an EVSE says that it needs, and whether it wants an energy transfer that nobody offered."""

    station_id: str
    evse_id: int
    needs: EvNeeds
    offered: bool = True


class PriorityCharging(msgspec.Struct, frozen=True):
    """A driver asked at the station for priority, or takes that back. Spec: OCPP 2.1 K22."""

    station_id: str
    transaction_id: str
    activated: bool
