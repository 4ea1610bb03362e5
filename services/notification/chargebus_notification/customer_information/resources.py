"""The JSON of customer information over HTTP."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from chargebus_runtime.http import Input
from pydantic import AfterValidator, BaseModel, Field

from chargebus_notification.customer_information.domain import Gathered, Request, Wanted

_Hash = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]


class TokenIn(Input):
    """An idToken."""

    id_token: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
    type: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[\x21-\x7e]+$")] = "Central"


class CertificateIn(Input):
    """The hash data of a certificate. Spec: OCPP 2.0.1 CertificateHashDataType."""

    hash_algorithm: Literal["SHA256", "SHA384", "SHA512"]
    issuer_name_hash: _Hash
    issuer_key_hash: _Hash
    serial_number: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[\x21-\x7e]+$")]


class CustomerInformationIn(Input):
    """Ask a station what it knows of a customer (`report`), have it forget that (`clear`), or both.

    Exactly one of `customer_identifier`, `id_token` and `customer_certificate` says who.
    """

    station_id: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
    report: bool = True
    clear: bool = False
    customer_identifier: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]+$")] | None = None
    id_token: TokenIn | None = None
    customer_certificate: CertificateIn | None = None

    def wanted(self) -> Wanted:
        """Return it as the domain knows it."""
        return Wanted(
            self.report,
            self.clear,
            self.customer_identifier or "",
            self.id_token.id_token if self.id_token else "",
            self.id_token.type if self.id_token else "",
            self.customer_certificate.model_dump() if self.customer_certificate else {},
        )


def _fits(wanted: CustomerInformationIn) -> CustomerInformationIn:
    said = (wanted.customer_identifier, wanted.id_token, wanted.customer_certificate)
    if sum(each is not None for each in said) != 1:
        raise ValueError("say who by one of customer_identifier, id_token and customer_certificate")
    if not (wanted.report or wanted.clear):
        raise ValueError("say report, clear or both")
    return wanted


FittingRequest = Annotated[CustomerInformationIn, AfterValidator(_fits)]


class CustomerInformationOut(BaseModel):
    """A request, and how far what comes of it is; who it is about is not kept."""

    request_id: int
    station_id: str
    who: str = Field(description="By what the customer was named")
    report: bool
    clear: bool
    asked_at: datetime
    command_id: str
    state: Literal[
        "asked", "receiving", "complete", "incomplete", "done", "refused", "unsupported", "failed", "deleted"
    ] = Field(description="`incomplete`: parts are missing, and did not come in time; `deleted`: its text is gone")
    reason: str = Field(description="The station's word, such as Rejected or Invalid")
    detail: str
    parts: int = Field(description="How many parts have come")
    missing: list[int] = Field(description="Numbers of parts that have not")

    @classmethod
    def of(cls, request: Request, gathered: Gathered) -> "CustomerInformationOut":
        """Return a request as callers see it."""
        return cls.model_validate(_members(request, gathered))


class CustomerInformationText(CustomerInformationOut):
    """A request with what the station told."""

    text: str = Field(description="As far as it has come; personal: it is deleted after a short time")

    @classmethod
    def of(cls, request: Request, gathered: Gathered) -> "CustomerInformationText":
        """Return a request with its text."""
        return cls.model_validate(_members(request, gathered) | {"text": gathered.text})


def _members(request: Request, gathered: Gathered) -> dict[str, object]:
    said = msgspec.structs.asdict(request)
    known = {name: said[name] for name in CustomerInformationOut.model_fields if name in said}
    return known | {"state": gathered.state, "parts": gathered.parts, "missing": list(gathered.missing)}
