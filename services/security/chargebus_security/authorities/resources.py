"""The JSON of the HTTP API."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from chargebus_runtime.http import Input
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pydantic import BaseModel, Field

from chargebus_security.authorities.domain.profiles import pem, serial_hex
from chargebus_security.authorities.store import IssuedCertificate

Reason = Literal[
    "unspecified",
    "key_compromise",
    "affiliation_changed",
    "superseded",
    "cessation_of_operation",
    "privilege_withdrawn",
]


class AuthorityCertificateOut(BaseModel):
    """A certificate of an authority itself."""

    subject: str
    issuer: str
    serial_number: str = Field(description="Hexadecimal")
    fingerprint: str = Field(description="SHA-256 of the certificate, hexadecimal")
    not_before: datetime
    not_after: datetime
    is_root: bool = Field(description="Whether it is what stations and edges are to trust")
    pem: str

    @classmethod
    def of(cls, certificate: x509.Certificate) -> "AuthorityCertificateOut":
        """Return a certificate as callers see it."""
        return cls(
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            serial_number=serial_hex(certificate),
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            is_root=certificate.subject == certificate.issuer,
            pem=pem(certificate),
        )


class AuthorityOut(BaseModel):
    """An authority that signs for stations."""

    name: str = Field(description="`built-in` or `est`")
    certificates: list[AuthorityCertificateOut] = Field(
        description="Its own, those that sign first, the root last; empty where it does not tell them"
    )


class RevocationIn(Input):
    """Why a certificate is to be revoked."""

    reason: Reason = "unspecified"


class IssuedOut(BaseModel):
    """A certificate that was issued to a station."""

    authority: str
    serial_number: str = Field(description="Hexadecimal")
    station_id: str
    certificate_type: str | None = Field(description="OCPP's; absent: for CSMS and vehicles both")
    subject: str
    fingerprint: str = Field(description="SHA-256 of the certificate, hexadecimal")
    not_before: datetime
    not_after: datetime
    issued_at: datetime
    request_id: UUID = Field(description="For which request: /v1/certificate-requests/…")
    revoked_at: datetime | None
    revocation_reason: str | None
    chain: str = Field(description="In PEM, the certificate first, then its intermediates")

    @classmethod
    def of(cls, certificate: IssuedCertificate) -> "IssuedOut":
        """Return a certificate as callers see it."""
        return cls(
            authority=certificate.authority,
            serial_number=certificate.serial_number,
            station_id=certificate.station_id,
            certificate_type=certificate.certificate_type or None,
            subject=certificate.subject,
            fingerprint=certificate.fingerprint,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            issued_at=certificate.issued_at,
            request_id=certificate.request_id,
            revoked_at=certificate.revoked_at,
            revocation_reason=certificate.revocation_reason,
            chain=certificate.chain,
        )
