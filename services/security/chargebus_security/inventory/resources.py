"""The JSON of certificates over HTTP."""

from datetime import datetime
from typing import Annotated

from chargebus_runtime.http import Input
from pydantic import BaseModel, ConfigDict, Field

from chargebus_security.inventory.domain.certificate import Source

NAME = r"^[^\x00]*$"
Kind = Annotated[str, Field(max_length=50, pattern=r"^[A-Za-z0-9]*$")]


class UploadIn(Input):
    """Certificates, one or several (a chain, a bundle of roots)."""

    pem: str = Field(min_length=1, max_length=200_000, pattern=NAME, description="PEM; no private keys")
    name: str = Field(default="", max_length=255, pattern=NAME, description="What you call them")
    kind: Kind = Field(default="", description="What they are for, such as CSMSRootCertificate")


class ChangeIn(Input):
    """What an operator says of a certificate."""

    name: str = Field(default="", max_length=255, pattern=NAME)
    kind: Kind = ""
    in_use: bool = Field(
        default=False, description="Connections stand under it: it is never deleted from a station, nor here"
    )


class CertificateOut(BaseModel):
    """A certificate that is known."""

    model_config = ConfigDict(from_attributes=True)

    certificate_id: str = Field(description="Its SHA-256; of one that only stations told of, of its name there")
    source: Source = Field(description="uploaded, issued (by an authority, for us), reported (by a station)")
    name: str
    kind: str
    subject: str = Field(description="Empty where only stations told of it, as the other fields are")
    issuer: str
    serial_number: str
    key: str = Field(description="Such as EC secp256r1 or RSA 2048")
    is_authority: bool
    is_self_signed: bool
    not_before: datetime | None
    not_after: datetime | None
    station_id: str = Field(description="Whose it is; empty: of no station")
    in_use: bool
    added_at: datetime
    replaced_at: datetime | None = Field(description="Since when another has taken its place")


class CertificateDetail(CertificateOut):
    """A certificate itself."""

    pem: str


class UploadedOut(BaseModel):
    """What was in a file, in its order."""

    items: list[CertificateOut]
