"""Owns the JSON of deviations and of the rules."""

from datetime import datetime
from typing import Annotated, Final, get_args
from uuid import UUID

from chargebus_events.registry import Treatment
from chargebus_ocppj.actions import ACTIONS
from chargebus_ocppj.deviations import Kind
from chargebus_runtime.http import Input
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, WithJsonSchema

_ACTIONS: Final = frozenset(action.name for action in ACTIONS if action.initiator == "station")
_KINDS: Final[tuple[str, ...]] = get_args(Kind)


def _action(name: str) -> str:
    if name and name not in _ACTIONS:
        raise ValueError("is no action that stations call")
    return name


def _kind(name: str) -> str:
    if name and name not in _KINDS:
        raise ValueError(f"is no kind of deviation; there are {', '.join(_KINDS)}")
    return name


Name = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f]*$")]
ActionName = Annotated[
    Name, AfterValidator(_action), WithJsonSchema({"type": "string", "enum": ["", *sorted(_ACTIONS)]})
]
KindName = Annotated[Name, AfterValidator(_kind), WithJsonSchema({"type": "string", "enum": ["", *_KINDS]})]


class RuleIn(Input):
    """How frames of some stations that break their schema are treated; an empty text means any, in whatever case."""

    treatment: Treatment = Field(description="Accept as meant, or refuse with the CALLERROR of the version")
    vendor: Name = Field(default="", description="As the station's BootNotification says it; `Acme*`: begins like it")
    model: Name = ""
    firmware_version: Name = ""
    action: ActionName = ""
    kind: KindName = ""
    note: Name = Field(default="", description="Why; for those who come after")


class RuleOut(BaseModel):
    """A deviation rule."""

    rule_id: UUID
    treatment: Treatment
    vendor: str
    model: str
    firmware_version: str
    action: str
    kind: str
    note: str
    created_at: datetime


class DeviationOut(BaseModel):
    """A way in which a station's frames break their schema; `count` is how many frames did, while the make was this.

    `kind` of one that was `refused` may be the code of the CALLERROR that the station got. `path` has `*` for any place
    in a list; where a station has too many deviations, for any place at all. `detail` is what was said of the first.
    """

    action: str
    kind: str
    path: str
    refused: bool
    count: int
    first_at: datetime
    last_at: datetime
    detail: str
    vendor: str
    model: str
    firmware_version: str
    version: str


class DeviationSum(BaseModel):
    """How many stations of a make break the schema of an action in one way, and in how many frames."""

    vendor: str
    model: str
    firmware_version: str
    version: str
    action: str
    kind: str
    refused: bool
    stations: int
    count: int
    first_at: datetime
    last_at: datetime
