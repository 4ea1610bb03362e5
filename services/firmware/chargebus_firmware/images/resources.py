"""The JSON of images."""

from datetime import datetime
from typing import Annotated, Final

from chargebus_runtime.http import Input
from pydantic import BaseModel, ConfigDict, Field

from chargebus_firmware.images.domain.image import Described, State
from chargebus_firmware.images.domain.signing import MOST_CERTIFICATE, MOST_SIGNATURE
from chargebus_firmware.images.domain.upload import UploadState
from chargebus_firmware.links.resources import FileUrl

# What OCPP takes of each at most; no control characters, which no station has in its name.
_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]+$"
Text = Annotated[str, Field(min_length=1, max_length=50, pattern=_PRINTABLE)]

_MOST_NAMED: Final = 200


class ImageIn(Input):
    """A new image: what it brings, and whom it is for. Its content comes after it, unless it lies at a `url`."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=_PRINTABLE)]
    version: Text = Field(description="With which a station boots once it is installed, as it writes it")
    vendor: Text = Field(description="As stations say it when they boot")
    models: list[Text] = Field(
        default=[], max_length=_MOST_NAMED, description="For which models; none: for all of the vendor"
    )
    from_versions: list[Text] = Field(
        default=[], max_length=_MOST_NAMED, description="On which versions it may be installed; none: on all"
    )
    same_version: bool = Field(default=False, description="It may be installed where its own version runs")
    file_name: Annotated[str, Field(min_length=1, max_length=100, pattern=_PRINTABLE)] | None = Field(
        default=None, description="As stations see it; made of the name if there is none"
    )
    url: FileUrl | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="What the SHA-256 of its content has to be; needed with `url`"
    )
    signing_certificate: Annotated[str, Field(min_length=1, max_length=MOST_CERTIFICATE)] | None = Field(
        default=None, description="In PEM: whose signature it is, for signed updates"
    )
    signature: Annotated[str, Field(min_length=1, max_length=MOST_SIGNATURE)] | None = Field(
        default=None, description="In base64: RSA-PSS or ECDSA over the SHA-256 of the content"
    )

    def described(self) -> Described:
        """Return what is said."""
        return Described(
            **self.model_dump(exclude={"models", "from_versions"}),
            models=tuple(self.models),
            from_versions=tuple(self.from_versions),
        )


class ImageOut(BaseModel):
    """An image."""

    model_config = ConfigDict(from_attributes=True)

    image_id: str
    name: str
    version: str
    vendor: str
    models: list[str]
    from_versions: list[str]
    same_version: bool
    file_name: str
    url: str | None = None
    state: State = Field(description="`empty` until its content is there, `refused` where that was not as it should be")
    reason: str | None = Field(default=None, description="Why the last content was refused")
    size: int | None = Field(default=None, description="In bytes")
    sha256: str | None = Field(default=None, description="Of its content")
    md5: str | None = Field(default=None, description="The same, by which local controllers know a file")
    expected_sha256: str | None = None
    signing_certificate: str | None = None
    signature: str | None = None
    created_at: datetime
    created_by: str = Field(description="The id of the API key")
    ready_at: datetime | None = None


class UploadOut(BaseModel):
    """An upload of an image's content."""

    model_config = ConfigDict(from_attributes=True)

    upload_id: str
    image_id: str
    size: int = Field(description="Of the whole, in bytes")
    received: int = Field(description="How much of it is kept: the offset at which it goes on")
    state: UploadState
    reason: str | None = Field(default=None, description="Why it was refused")
    expires_at: datetime = Field(description="It is given up then, unless it goes on")
