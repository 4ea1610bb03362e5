"""The JSON of the HTTP API."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from chargebus_runtime.http import Input
from pydantic import BaseModel, Field

from chargebus_security.signing.domain.request import CertificateRequest

CertificateType = Literal["ChargingStationCertificate", "V2GCertificate", "V2G20Certificate"]


class RequestIn(Input):
    """Which station is to ask for a certificate."""

    station_id: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
    certificate_type: CertificateType | None = Field(
        default="ChargingStationCertificate", description="null: one for CSMS and vehicles both (OCPP 2.x)"
    )


class AskedOut(BaseModel):
    """A station was asked; its request comes by itself."""

    command_id: str = Field(description="/v1/commands/… says what the station answered")
    station_id: str


class RequestOut(BaseModel):
    """A station's request for a certificate."""

    request_id: UUID
    station_id: str
    certificate_type: str | None = Field(description="OCPP's; absent: for CSMS and vehicles both")
    state: str = Field(
        description="`waiting` (for the authority), `signed` (to be sent), `sent`, `installed`, `declined` (by the "
        "station), `refused` (not signed), `superseded` (by a newer request), `failed` (not in time)"
    )
    reason: str | None = Field(description="Why it waits, or did not succeed")
    created_at: datetime
    changed_at: datetime
    due_at: datetime | None = Field(description="When something is done about it next")
    tries: int
    authority: str | None
    serial_number: str | None = Field(description="Of its certificate: /v1/certificate-authorities/…/certificates/…")
    not_after: datetime | None
    renew_at: datetime | None = Field(description="When the station is asked for the next one")
    csr: str

    @classmethod
    def of(cls, request: CertificateRequest) -> "RequestOut":
        """Return a request as callers see it."""
        return cls(
            request_id=request.request_id,
            station_id=request.station_id,
            certificate_type=request.certificate_type or None,
            state=request.state,
            reason=request.reason or None,
            created_at=request.created_at,
            changed_at=request.changed_at,
            due_at=request.due_at,
            tries=request.tries,
            authority=request.authority or None,
            serial_number=request.serial_number or None,
            not_after=request.not_after,
            renew_at=request.renew_at,
            csr=request.csr,
        )
