"""The JSON of variables over HTTP."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from chargebus_runtime.http import Input, WholeNumber
from pydantic import BaseModel, Field, model_validator

from chargebus_device.variables.domain.addresses import Address
from chargebus_device.variables.domain.names import Name, breaks_connections, name_of
from chargebus_device.variables.domain.place import LARGEST_ID, Place
from chargebus_device.variables.domain.request import Kind, Origin, Request, Result, State
from chargebus_device.variables.domain.variable import Variable, is_secret

_NO_CONTROL: Final = r"^[^\x00-\x1f\x7f]*$"
_Name = Annotated[str, Field(max_length=100, pattern=_NO_CONTROL)]
_Number = Annotated[WholeNumber, Field(ge=0, le=LARGEST_ID)]
Value = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")]
Attribute = Literal["Actual", "Target", "MinSet", "MaxSet"]


class AddressIn(Input):
    """A variable: by `name`, or by `component` and `variable`; one of the two."""

    name: _Name = Field(
        default="",
        description="A configuration key, or a name that all versions know: see /v1/variable-names",
        examples=["HeartbeatInterval"],
    )
    component: _Name = Field(default="", description="As OCPP 2.x names it", examples=["OCPPCommCtrlr"])
    component_instance: _Name = ""
    evse_id: WholeNumber = Field(default=0, ge=0, le=LARGEST_ID, description="0: the station")
    connector_id: WholeNumber = Field(default=0, ge=0, le=LARGEST_ID, description="0: the EVSE as a whole")
    variable: _Name = Field(default="", description="As OCPP 2.x names it", examples=["HeartbeatInterval"])
    variable_instance: _Name = ""
    attribute: Attribute = "Actual"

    @model_validator(mode="after")
    def _is_one(self) -> "AddressIn":
        if bool(self.name) == bool(self.component):
            raise ValueError("give `name`, or `component` and `variable`")
        if self.name and self.address.place != Place():
            raise ValueError("a `name` says all: give `component` and `variable` where more is to be said")
        if self.connector_id and not self.evse_id:
            raise ValueError("a connector is one of an EVSE: give `evse_id`")
        return self

    @property
    def address(self) -> Address:
        """What is meant."""
        place = Place(
            self.component,
            self.component_instance,
            self.evse_id,
            self.connector_id,
            self.variable,
            self.variable_instance,
            self.attribute,
        )
        return Address(self.name.strip(), place)


class VariableIn(AddressIn):
    """A variable and its value."""

    value: Value = Field(examples=["300"])

    @model_validator(mode="after")
    def _names_a_variable(self) -> "VariableIn":
        if self.component and not self.variable:
            raise ValueError("give `variable` as well: a component has no value")
        return self


class WaitIn(Input):
    """How long a station, and its answers, are waited for."""

    wait: bool = Field(default=False, description="Answer when the station has, not at once")
    ttl_s: float = Field(
        default=60.0, ge=0, le=7 * 24 * 3600, description="How long it may wait for a station that is away"
    )


class ReadIn(WaitIn):
    """What is to be read; nothing: all there is."""

    variables: Annotated[list[AddressIn], Field(max_length=500)] = Field(
        default=[], description="Some only; a `component` without `variable` is all of its variables (2.x)"
    )
    base: Literal["FullInventory", "ConfigurationInventory", "SummaryInventory"] = Field(
        default="FullInventory", description="Which inventory of all (2.x)"
    )
    criteria: Annotated[list[Literal["Active", "Available", "Enabled", "Problem"]], Field(max_length=4)] = Field(
        default=[], description="Components of which one of these is true (2.x)"
    )


class ChangeIn(WaitIn):
    """Variables to set."""

    variables: Annotated[list[VariableIn], Field(min_length=1, max_length=500)]
    force: bool = Field(default=False, description="Send it although by what the station has told it cannot take it")


class VariableOut(BaseModel):
    """A variable as its station told it; what it did not tell is null."""

    name: str | None = Field(description="A name that all versions know, if it has one")
    component: str = Field(description="Empty: a configuration key of 1.6")
    component_instance: str
    evse_id: int
    connector_id: int
    variable: str
    variable_instance: str
    attribute: str
    value: str | None = Field(description="null: not told, or secret")
    secret: bool = Field(description="Its value is neither kept nor shown")
    known: bool = Field(description="false: the station says that it has no such variable")
    mutability: str | None = Field(description="ReadOnly, WriteOnly, ReadWrite")
    persistent: bool | None
    constant: bool | None
    unit: str | None
    data_type: str | None
    min_limit: float | None
    max_limit: float | None
    values_list: str | None
    supports_monitoring: bool | None
    read_at: datetime
    read_by: str = Field(description="The message that told the value", examples=["NotifyReport", "SetVariables"])
    reboot_required: bool = Field(description="It takes `pending_value` with the next boot")
    pending_value: str | None
    pending_since: datetime | None

    @classmethod
    def of(cls, variable: Variable) -> "VariableOut":
        """Return a variable as callers see it."""
        name = name_of(variable.place)
        place = {each: getattr(variable.place, each) for each in Place.__struct_fields__}
        same = {each: getattr(variable, each) for each in Variable.__struct_fields__ if each in cls.model_fields}
        return cls(
            **place,
            **same,
            name=None if name is None else name.key,
            secret=is_secret(variable.place, variable.mutability),
            known=variable.is_known,
            reboot_required=variable.pending_since is not None,
        )


class ItemOut(BaseModel):
    """What became of one variable of a request."""

    name: str | None
    component: str
    component_instance: str
    evse_id: int
    connector_id: int
    variable: str
    variable_instance: str
    attribute: str
    value: str | None = Field(description="What it is to be; null: it is read")
    status: str | None = Field(
        description="The station's own word in the words of 2.x (Accepted, Rejected, RebootRequired, UnknownVariable, "
        "…), or NoAnswer, Refused, NotSupported, Unreachable, Unknown (nobody knows what it made of it); null: not yet"
    )
    detail: str


class RequestOut(BaseModel):
    """What a station is asked about its variables, and how far that is."""

    request_id: UUID
    station_id: str
    kind: Kind = Field(description="all, a report on components, named variables, or a change")
    origin: Origin = Field(description="Who asked: an operator, a boot, a reboot that was waited for, a configuration")
    base: str | None = Field(description="Which inventory, of all")
    criteria: list[str]
    state: State = Field(description="waiting (for its turn or its station), asked, reporting (in parts), ended")
    result: Result | None = Field(
        description="complete; incomplete: not all of it was told or taken, what was is kept; failed; null: not ended"
    )
    detail: str
    read: int = Field(description="How many variables the station told")
    parts: int = Field(description="How many parts of its report came")
    missing_parts: list[int] = Field(description="Their numbers, as far as they are known to be missing")
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    items: list[ItemOut]

    @classmethod
    def of(cls, request: Request) -> "RequestOut":
        """Return a request as callers see it."""
        items = []
        for each in request.items:
            name = name_of(each.place)
            place = {part: getattr(each.place, part) for part in Place.__struct_fields__}
            named = None if name is None else name.key
            items.append(ItemOut(**place, name=named, value=each.value, status=each.status or None, detail=each.detail))
        return cls(
            request_id=request.request_id,
            station_id=request.station_id,
            kind=request.kind,
            origin=request.origin,
            base=request.base if request.kind == "all" else None,
            criteria=list(request.criteria),
            state=request.state,
            result=request.result or None,
            detail=request.detail,
            read=request.read,
            parts=len(request.parts.seen),
            missing_parts=request.parts.missing[:100],
            created_at=request.created_at,
            expires_at=request.expires_at,
            ended_at=request.ended_at,
            items=items,
        )


class NameOut(BaseModel):
    """A name that addresses the same variable in all versions."""

    name: str = Field(description="The configuration key of 1.6", examples=["ConnectionTimeOut"])
    component: str
    variable: str
    variable_instance: str
    data_type: str
    unit: str
    breaks_connections: bool = Field(description="A wrong value can keep a station from coming back")

    @classmethod
    def of(cls, name: Name) -> "NameOut":
        """Return a row of the table."""
        return cls(
            name=name.key,
            component=name.place.component,
            variable=name.place.variable,
            variable_instance=name.place.variable_instance,
            data_type=name.data_type,
            unit=name.unit,
            breaks_connections=breaks_connections(name.place),
        )


class NamesOut(BaseModel):
    """All names of the table."""

    items: list[NameOut]
