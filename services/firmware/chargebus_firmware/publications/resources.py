"""The JSON of the HTTP API."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from chargebus_runtime.http import WHOLE, Input
from pydantic import BaseModel, Field, model_validator

from chargebus_firmware.links.domain.link import Transport
from chargebus_firmware.links.resources import FileUrl
from chargebus_firmware.publications.domain import Publication, PublicationWanted

_Text = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[^\x00]*$")]


class PublicationIn(Input):
    """What a local controller is to publish to the stations behind it.

    An image of ours (`image_id`), or a file elsewhere (`url` and `checksum`).
    """

    station_id: _Text = Field(description="The local controller; it speaks OCPP 2.0.1 or 2.1")
    image_id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")] | None = None
    url: FileUrl | None = None
    checksum: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = Field(
        default=None,
        description="The MD5 of the file in hexadecimal digits: by it stations and controllers know the file; of an "
        "image that is kept here it is known",
    )
    version: _Text | None = Field(
        default=None, description="The firmware version that a file elsewhere brings, for who reads this"
    )
    over: Transport = Field(
        default="http", description="How it fetches an image that is kept here: `http`, `https`, `ftp` or `sftp`"
    )
    retries: Annotated[int, Field(ge=0, le=100), WHOLE] | None = None
    retry_interval_s: Annotated[int, Field(ge=0, le=86400), WHOLE] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "PublicationIn":
        if (self.image_id is None) == (self.url is None):
            raise ValueError("give image_id, or url and checksum: one of both")
        if self.url is not None and self.checksum is None:
            raise ValueError("checksum goes with url: by it stations know the file")
        if self.image_id is not None and self.version is not None:
            raise ValueError("version goes with url: an image brings its own")
        return self

    def wanted(self) -> PublicationWanted:
        """Return it as it is begun."""
        return PublicationWanted(
            self.station_id,
            self.url or "",
            self.checksum or "",
            self.image_id or "",
            self.over,
            self.version or "",
            self.retries,
            self.retry_interval_s,
        )


class PublicationStepOut(BaseModel):
    """Something that was told or done about a publication."""

    at: datetime
    what: str = Field(description="What was done, or what the controller said, in OCPP's words")
    state: str = Field(description="The state after it")
    detail: str | None


class PublicationOut(BaseModel):
    """A file that a local controller publishes."""

    publication_id: UUID
    station_id: str
    state: str
    reason: str | None = Field(description="Why it failed")
    detail: str | None
    image_id: str | None
    url: str | None = Field(description="Absent: a link to an image that is kept here")
    checksum: str
    version: str | None
    locations: list[str] = Field(description="Where the stations behind it find the file, once it is published")
    request_id: int
    created_at: datetime
    heard_at: datetime | None

    @classmethod
    def of(cls, publication: Publication) -> "PublicationOut":
        """Return a publication as callers see it."""
        return cls(**_members(publication))


class PublicationHistory(PublicationOut):
    """A publication, and all that was told and done about it."""

    history: list[PublicationStepOut]

    @classmethod
    def of(cls, publication: Publication) -> "PublicationHistory":
        """Return a publication as callers see it, with its history."""
        steps = [
            PublicationStepOut(at=step.at, what=step.what, state=step.state, detail=step.detail or None)
            for step in publication.history
        ]
        return cls(**_members(publication), history=steps)


def _members(publication: Publication) -> dict[str, Any]:
    return {
        "publication_id": publication.publication_id,
        "station_id": publication.station_id,
        "state": publication.state,
        "reason": publication.reason or None,
        "detail": publication.detail or None,
        "image_id": publication.image_id or None,
        "url": publication.url or None,
        "checksum": publication.checksum,
        "version": publication.version or None,
        "locations": list(publication.locations),
        "request_id": publication.request_id,
        "created_at": publication.created_at,
        "heard_at": publication.heard_at,
    }
