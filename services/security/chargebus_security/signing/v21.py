"""OCPP 2.1: requests have numbers, and there are certificates for ISO 15118-20."""

from chargebus_security.authorities.domain.profiles import V2G20
from chargebus_security.signing import v201
from chargebus_security.signing.domain.request import CertificateRequest

TRIGGERS = {**v201.TRIGGERS, V2G20: "SignV2G20Certificate"}


def certificate_signed(request: CertificateRequest) -> dict[str, object]:
    """Return the message that brings a certificate, with the number of the request.

    Spec: OCPP 2.1 A02.FR.26
    """
    number = request.station_request_id
    return v201.certificate_signed(request) | ({} if number is None else {"requestId": number})
