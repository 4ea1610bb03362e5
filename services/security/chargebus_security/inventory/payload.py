"""Events that others read: certificates run out."""

from datetime import datetime

from chargebus_events.public import CERTIFICATE_EXPIRING, CertificateExpiring, event
from chargebus_events.record import Record

from chargebus_security.inventory.domain.certificate import Certificate
from chargebus_security.names import SOURCE

_AUTHORITY, _OTHER = "authority", "certificate"


def expiring(certificate: Certificate, days: float, now: datetime) -> Record:
    """Return the event of a threshold that a certificate has reached; the same one has the same id."""
    return event(CERTIFICATE_EXPIRING, f"{certificate.certificate_id}/{days:g}", SOURCE, now, _body(certificate, now))


def replaced(certificate: Certificate, now: datetime) -> Record:
    """Return the event of a certificate that nobody needs any more."""
    body = _body(certificate, now, is_replaced=True)
    return event(CERTIFICATE_EXPIRING, f"{certificate.certificate_id}/replaced", SOURCE, now, body)


def _body(certificate: Certificate, now: datetime, *, is_replaced: bool = False) -> CertificateExpiring:
    return CertificateExpiring(
        certificate_id=certificate.certificate_id,
        kind=certificate.kind or (_AUTHORITY if certificate.is_authority else _OTHER),
        expires_at=certificate.not_after or now,
        at=now,
        subject=certificate.subject,
        serial_number=certificate.serial_number,
        issuer=certificate.issuer,
        station_id=certificate.station_id,
        replaced=is_replaced,
    )
