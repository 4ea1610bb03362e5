"""The JSON of the HTTP API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from chargebus_runtime.http import WHOLE, Input, UtcDatetime
from pydantic import BaseModel, Field, model_validator

from chargebus_firmware.links.domain.link import Transport
from chargebus_firmware.links.resources import FileUrl
from chargebus_firmware.updates.domain.update import Firmware, Update, Wanted

_Text = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[^\x00]*$")]


class UpdateIn(Input):
    """An update of one station, of an image of ours (`image_id`) or of a file elsewhere (`url` and `version`)."""

    station_id: _Text
    image_id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")] | None = None
    url: FileUrl | None = None
    version: _Text | None = Field(
        default=None, description="The firmware version that a station says when it boots with that file"
    )
    retrieve_at: UtcDatetime | None = Field(default=None, description="When it is to be fetched; absent: at once")
    install_at: UtcDatetime | None = Field(
        default=None, description="When it is to be installed; OCPP 1.6 has that for signed firmware only"
    )
    retries: Annotated[int, Field(ge=0, le=100), WHOLE] | None = Field(
        default=None, description="How often the station is to try again to fetch it"
    )
    retry_interval_s: Annotated[int, Field(ge=0, le=86400), WHOLE] | None = None
    over: Transport | None = Field(
        default=None,
        description="How the station fetches an image that is kept here: `http` (HTTPS, where links are), "
        "`https`, `ftp` or `sftp`, where these are served; absent: by what it says that it knows",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "UpdateIn":
        if (self.image_id is None) == (self.url is None):
            raise ValueError("give image_id, or url and version: one of both")
        if (self.url is None) != (self.version is None):
            raise ValueError("version goes with url: an image brings its own")
        if self.retrieve_at and self.install_at and self.install_at < self.retrieve_at:
            raise ValueError("install_at lies before retrieve_at")
        return self

    def wanted(self) -> Wanted:
        """Return it as it is begun."""
        firmware = None if self.url is None or self.version is None else Firmware(self.version, self.url)
        return Wanted(
            self.station_id,
            self.image_id,
            None,
            self.retrieve_at,
            self.install_at,
            self.retries,
            self.retry_interval_s,
            firmware,
            self.over,
        )


class StepOut(BaseModel):
    """Something that was told or done about an update."""

    at: datetime = Field(description="When it was; if several times, the last")
    what: str = Field(description="What was done, or what the station said, in OCPP's words")
    state: str = Field(description="The update's state after it")
    detail: str | None
    times: int = Field(description="How often, one after the other")


class UpdateOut(BaseModel):
    """A firmware update of one station."""

    update_id: UUID
    station_id: str
    state: str = Field(description="How far it has come, or how it ended: succeeded, failed, cancelled")
    reason: str | None = Field(description="Why it did not succeed")
    detail: str | None = Field(description="The same for people")
    version: str
    before: str | None = Field(description="The version that the station had when it was asked")
    image_id: str | None
    campaign_id: str | None
    request_id: int = Field(description="Its number towards the station")
    created_at: datetime
    asked_at: datetime | None = Field(description="Absent while the station is waited for")
    retrieve_at: datetime | None
    install_at: datetime | None
    status: str | None = Field(description="What the station said last")
    heard_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, update: Update) -> "UpdateOut":
        """Return an update as callers see it."""
        return cls(**_members(update))


class UpdateHistory(UpdateOut):
    """An update, and all that was told and done about it."""

    history: list[StepOut]

    @classmethod
    def of(cls, update: Update) -> "UpdateHistory":
        """Return an update as callers see it, with its history."""
        steps = [
            StepOut(at=step.at, what=step.what, state=step.state, detail=step.detail or None, times=step.times)
            for step in update.history
        ]
        return cls(**_members(update), history=steps)


def _members(update: Update) -> dict[str, Any]:
    return {
        "update_id": update.update_id,
        "station_id": update.station_id,
        "state": update.state,
        "reason": update.reason or None,
        "detail": update.detail or None,
        "version": update.version,
        "before": update.before or None,
        "image_id": update.image_id or None,
        "campaign_id": update.campaign_id or None,
        "request_id": update.request_id,
        "created_at": update.created_at,
        "asked_at": update.asked_at,
        "retrieve_at": update.plan.retrieve_at,
        "install_at": update.plan.install_at,
        "status": update.status or None,
        "heard_at": update.heard_at,
        "ended_at": update.ended_at,
    }
