"""The certificates by which a station is known: asked for with a key of its own, taken if they fit it.

Spec: OCPP 2.0.1 A02, A03; OCPP 1.6 security white paper A02, A03
"""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from chargebus_ocppj.timestamps import format_timestamp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chargebus_station.effects import Message, Reply, Tell, status

if TYPE_CHECKING:
    from chargebus_station.commands import CommandDecider

Payload = dict[str, Any]

STATION: Final = "ChargingStationCertificate"
COMBINED: Final = ""

TRIGGERS: Final = {
    "SignChargePointCertificate": STATION,
    "SignChargingStationCertificate": STATION,
    "SignV2GCertificate": "V2GCertificate",
    "SignV2G20Certificate": "V2G20Certificate",
    "SignCombinedCertificate": COMBINED,
}
"""What a CSMS may ask to be asked for, and the type of certificate that is meant."""

_ORGANIZATION: Final = "Chargebus"


@dataclass
class OwnCertificates:
    """By type: the key for which a certificate was asked for last, the chain that came, and the key of that one."""

    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    chains: dict[str, list[x509.Certificate]] = field(default_factory=dict)
    chain_keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)


def ask(decider: "CommandDecider", wanted: str) -> Reply:
    """Make a key, and ask for its certificate. Spec: OCPP 2.0.1 A02.FR.01, A02.FR.02."""
    certificate_type = TRIGGERS[wanted]
    key = decider.state.own_certificates.keys[certificate_type] = ec.generate_private_key(ec.SECP256R1())
    names = ((NameOID.COMMON_NAME, decider.state.station_id), (NameOID.ORGANIZATION_NAME, _ORGANIZATION))
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in names])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    payload = {"csr": csr.public_bytes(serialization.Encoding.PEM).decode()}
    if certificate_type and wanted != "SignChargePointCertificate":
        payload["certificateType"] = certificate_type
    return status("Accepted", Tell((Message("SignCertificate", payload),)))


def take(decider: "CommandDecider", payload: Payload) -> Reply:
    """Take a certificate that fits; tell of one that does not. Spec: OCPP 2.0.1 A02.FR.06, A02.FR.07."""
    return _take(decider, payload, payload.get("certificateType", COMBINED), "InvalidChargingStationCertificate")


def take_16(decider: "CommandDecider", payload: Payload) -> Reply:
    """Do the same, in 1.6's words."""
    return _take(decider, payload, STATION, "InvalidChargePointCertificate")


def _take(decider: "CommandDecider", payload: Payload, certificate_type: str, event: str) -> Reply:
    own = decider.state.own_certificates
    chain = _chain(payload["certificateChain"])
    key = own.keys.get(certificate_type)
    if not chain or key is None or chain[0].public_key() != key.public_key() or _is_over(chain, decider.now):
        told = {"type": event, "timestamp": format_timestamp(decider.now)}
        return status("Rejected", Tell((Message("SecurityEventNotification", told),)))
    own.chains[certificate_type], own.chain_keys[certificate_type] = chain, key
    return status("Accepted")


def _is_over(chain: list[x509.Certificate], now: datetime) -> bool:
    """Tell whether its time has passed. Simulated time lies behind its maker's: when it begins tells nothing."""
    return now > chain[0].not_valid_after_utc


def _chain(text: str) -> list[x509.Certificate]:
    """Return the certificates of a text, each issued by the next; none of any other text."""
    try:
        chain = x509.load_pem_x509_certificates(text.encode())
        for below, above in pairwise(chain):
            below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return []
    return chain
