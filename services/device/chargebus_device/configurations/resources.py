"""The JSON of configurations over HTTP."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from chargebus_runtime.http import Input, WholeNumber
from pydantic import BaseModel, ConfigDict, Field

from chargebus_device.configurations.domain.compared import Entry, Verdict
from chargebus_device.configurations.domain.configuration import Configuration, Selector, Setting, State
from chargebus_device.configurations.domain.shown import DryRun, Shown, StationRun
from chargebus_device.variables.resources import VariableIn

_NO_NUL = r"^[^\x00]*$"
_StationId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
_Label = Annotated[str, Field(max_length=255, pattern=_NO_NUL)]
_Make = Annotated[str, Field(max_length=255, pattern=_NO_NUL)]
_NOBODY = UUID(int=0)
_NEVER = datetime.min.replace(tzinfo=UTC)


class SelectorIn(Input):
    """Which stations are meant: those of which all of it is true; if nothing is said, every station."""

    station_ids: Annotated[list[_StationId], Field(max_length=10_000)] = Field(default=[])
    labels: Annotated[dict[_Label, _Label], Field(max_length=20, json_schema_extra={"additionalProperties": False})] = (
        Field(default={}, examples=[{"site": "harbour"}])
    )
    vendor: _Make = ""
    model: _Make = ""
    firmware_version: _Make = ""


class ConfigurationIn(Input):
    """What some stations are to be set to."""

    name: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$", examples=["Harbour"])]
    stations: SelectorIn = SelectorIn()
    priority: WholeNumber = Field(
        default=0,
        ge=-1000,
        le=1000,
        description="Of the configurations that mean a station and name a variable, the highest counts, "
        "then the narrowest, then the oldest",
    )
    variables: Annotated[list[VariableIn], Field(min_length=1, max_length=200)]
    first: WholeNumber = Field(
        default=3,
        ge=1,
        le=1000,
        description="How many stations get a change that can break connections before all others do",
    )

    def configuration(self) -> Configuration:
        """Return it as the domain knows it, without an id."""
        by = self.stations
        ids = tuple(dict.fromkeys(by.station_ids))
        return Configuration(
            configuration_id=_NOBODY,
            name=self.name,
            stations=Selector(ids, by.labels, by.vendor, by.model, by.firmware_version),
            priority=self.priority,
            settings=tuple(Setting(each.address, each.value) for each in self.variables),
            first=self.first,
            created_at=_NEVER,
            updated_at=_NEVER,
        )


class SelectorOut(BaseModel):
    """Which stations are meant."""

    model_config = ConfigDict(from_attributes=True)

    station_ids: list[str]
    labels: dict[str, str]
    vendor: str
    model: str
    firmware_version: str


class SettingOut(BaseModel):
    """A variable and what it is to be."""

    name: str = Field(description="As it was named: empty if by its place")
    component: str
    component_instance: str
    evse_id: int
    connector_id: int
    variable: str
    variable_instance: str
    attribute: str
    value: str
    breaks_connections: bool = Field(description="It goes to a few stations first")

    @classmethod
    def of(cls, setting: Setting) -> "SettingOut":
        """Return a setting as callers see it."""
        place = setting.address.place
        parts = {name: getattr(place, name) for name in place.__struct_fields__}
        return cls(
            name=setting.address.name, value=setting.value, breaks_connections=setting.breaks_connections, **parts
        )


class SumOut(BaseModel):
    """How a configuration goes, over all its stations."""

    stations: int = Field(description="Stations for which it counts, of those that were looked at")
    drifted: int = Field(description="Those of which something is not as wanted")
    verdicts: dict[str, int] = Field(description="How many variables stand how", examples=[{"as_wanted": 998}])


class ConfigurationOut(BaseModel):
    """What some stations are to be set to, and how far that is."""

    configuration_id: UUID
    name: str
    stations: SelectorOut
    priority: int
    variables: list[SettingOut]
    first: int
    revision: int
    state: State = Field(
        description="held: a station did not come back from a change that can break connections, no other gets one"
    )
    created_at: datetime
    updated_at: datetime
    sum: SumOut

    @classmethod
    def of(cls, shown: Shown) -> "ConfigurationOut":
        """Return a configuration as callers see it."""
        given = shown.configuration
        return cls(
            configuration_id=given.configuration_id,
            name=given.name,
            stations=SelectorOut.model_validate(given.stations),
            priority=given.priority,
            variables=[SettingOut.of(each) for each in given.settings],
            first=given.first,
            revision=given.revision,
            state=given.state,
            created_at=given.created_at,
            updated_at=given.updated_at,
            sum=SumOut(stations=shown.sum.stations, drifted=shown.sum.drifted, verdicts=shown.sum.verdicts),
        )


class EntryOut(BaseModel):
    """A variable that is wanted of a station, and how it stands."""

    model_config = ConfigDict(from_attributes=True)

    station_id: str
    configuration_id: UUID
    name: str
    wanted: str
    has: str | None = Field(description="What the station told; null: nothing")
    verdict: Verdict = Field(
        description="as_wanted; unread (it is read first); differs (it is changed next); asked; waiting (for the few "
        "that get it first); proving (changed, and has to be there again); lost (was not); reboot_required; refused "
        "(by the station, tried again at `retry_at`); impossible (it has no such variable, or cannot take the value)"
    )
    detail: str
    told: str = Field(description="The station's own word, about the newest try")
    tries: int
    retry_at: datetime | None
    changed_at: datetime | None


class StationConfigurationOut(BaseModel):
    """What is wanted of a station, and how it stands."""

    station_id: str
    drift: int = Field(description="How many variables are not as wanted")
    items: list[EntryOut]

    @classmethod
    def of(cls, station_id: str, entries: Sequence[Entry]) -> "StationConfigurationOut":
        """Return a station as callers see it."""
        drift = sum(each.verdict != "as_wanted" for each in entries)
        return cls(station_id=station_id, drift=drift, items=[EntryOut.model_validate(each) for each in entries])


class WouldOut(BaseModel):
    """What would become of a variable."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    wanted: str
    has: str | None
    verdict: Verdict = Field(description="differs: it would be changed; unread: it would be read first")
    detail: str


class StationRunOut(BaseModel):
    """What would become of a station."""

    station_id: str
    variables: list[WouldOut] = Field(description="Empty: nobody knows yet which version it speaks")
    overruled: dict[str, UUID] = Field(description="Variables for which another configuration counts, and which")

    @classmethod
    def of(cls, run: StationRun) -> "StationRunOut":
        """Return a station as callers see it."""
        would = [WouldOut.model_validate(each) for each in run.entries]
        return cls(station_id=run.station_id, variables=would, overruled=dict(run.overruled))


class DryRunOut(BaseModel):
    """What a configuration would do, station by station."""

    stations: int = Field(description="How many stations are meant")
    items: list[StationRunOut]
    next: str | None = None

    @classmethod
    def of(cls, run: DryRun, items: Sequence[StationRun], cursor: str | None) -> "DryRunOut":
        """Return a page of it as callers see it."""
        return cls(stations=run.stations, items=[StationRunOut.of(each) for each in items], next=cursor)
