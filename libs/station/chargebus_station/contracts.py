"""Contracts that vehicles hold, and how a station shows them: a whole chain, or its certificates by hashes.

Spec: OCPP 2.0.1 C07
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID


@dataclass(frozen=True)
class Contract:
    """A contract as a vehicle shows it.

    Attributes:
        chain: the certificates, the contract's first, in PEM; for local validation with the root.
        is_central: the station leaves it to the CSMS to validate the chain, as it lacks the root.
    """

    chain: str
    is_central: bool = False

    def shown(self) -> dict[str, Any]:
        """Return the members by which an Authorize shows it. Spec: OCPP 2.0.1 C07.FR.01, C07.FR.02, C07.FR.06."""
        if self.is_central:
            return {"certificate": self.chain}
        return {"iso15118CertificateHashData": _named(self.chain)}


def _named(chain: str) -> list[dict[str, str]]:
    certificates = x509.load_pem_x509_certificates(chain.encode())
    return [_name(certificate, issuer) for certificate, issuer in pairwise(certificates)]


def _name(certificate: x509.Certificate, issuer: x509.Certificate) -> dict[str, str]:
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256()).build()
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": request.issuer_name_hash.hex(),
        "issuerKeyHash": request.issuer_key_hash.hex(),
        "serialNumber": f"{request.serial_number:x}",
        "responderURL": _responder(certificate),
    }


def _responder(certificate: x509.Certificate) -> str:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return ""
    found = (each for each in access if each.access_method == AuthorityInformationAccessOID.OCSP)
    return next((str(each.access_location.value) for each in found), "")
