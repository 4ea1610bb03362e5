"""The certificates that a station trusts: installed, told by hashes, deleted; whatever the version says it in.

Spec: OCPP 2.0.1 M03 to M05; OCPP 1.6 security white paper, InstallCertificate, DeleteCertificate
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chargebus_station.commands import CommandDecider
from chargebus_station.dialect import Handler
from chargebus_station.effects import Reply, status

Payload = dict[str, Any]
Held = dict[str, list[x509.Certificate]]

MOST: Final = 10
"""How many certificates a station holds."""

_ALGORITHMS: Final[Mapping[str, str]] = {"SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}


def install(decider: CommandDecider, payload: Payload) -> Reply:
    """Take a root, if it is one that counts now, and if there is room. Spec: OCPP 2.0.1 M05.FR.03, M05.FR.07."""
    held = decider.state.certificates
    try:
        certificate = x509.load_pem_x509_certificate(payload["certificate"].encode())
    except ValueError:
        return status("Rejected")
    known = held.setdefault(payload["certificateType"], [])
    if certificate in known:
        return status("Accepted")
    full = sum(map(len, held.values())) >= MOST
    if full or not _is_authority(certificate) or decider.now > certificate.not_valid_after_utc:
        return status("Rejected")
    known.append(certificate)
    return status("Accepted")


def delete(decider: CommandDecider, payload: Payload) -> Reply:
    """Delete what is named so. Spec: OCPP 2.0.1 M04.FR.02, M04.FR.03."""
    named = payload["certificateHashData"]
    for held in decider.state.certificates.values():
        for certificate in held:
            if hash_data(certificate, named["hashAlgorithm"]) == {**named, **_lower(named)}:
                held.remove(certificate)
                return status("Accepted")
    return status("NotFound")


def get_installed(decider: CommandDecider, payload: Payload) -> Reply:
    """Tell what there is, of the types that are asked for, or of all. Spec: OCPP 2.0.1 M03.FR.01 to FR.05."""
    wanted = payload.get("certificateType", list(decider.state.certificates))
    chain = [
        {"certificateType": kind, "certificateHashData": hash_data(certificate)}
        for kind, certificate in _of(decider.state.certificates, wanted)
    ]
    return Reply({"status": "Accepted", "certificateHashDataChain": chain}) if chain else status("NotFound")


def get_installed_16(decider: CommandDecider, payload: Payload) -> Reply:
    """Tell what there is of a type, in 1.6's words."""
    found = [hash_data(each) for _, each in _of(decider.state.certificates, [payload["certificateType"]])]
    return Reply({"status": "Accepted", "certificateHashData": found}) if found else status("NotFound")


def hash_data(certificate: x509.Certificate, algorithm: str = "SHA256") -> dict[str, str]:
    """Return how OCPP names a root: it is its own issuer. Spec: OCPP 2.0.1 Part 2, CertificateHashDataType."""
    name, key = certificate.issuer.public_bytes(), _key_bits(certificate)
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": hashlib.new(_ALGORITHMS[algorithm], name).hexdigest(),
        "issuerKeyHash": hashlib.new(_ALGORITHMS[algorithm], key).hexdigest(),
        "serialNumber": f"{certificate.serial_number:x}",
    }


def _of(held: Held, wanted: Collection[str]) -> list[tuple[str, x509.Certificate]]:
    return [(kind, each) for kind, certificates in held.items() if kind in wanted for each in certificates]


def _lower(named: Payload) -> dict[str, str]:
    return {name: named[name].lower() for name in ("issuerNameHash", "issuerKeyHash", "serialNumber")}


def _key_bits(certificate: x509.Certificate) -> bytes:
    """Return the key without what says of which kind it is."""
    key = certificate.public_key()
    if isinstance(key, EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


COMMANDS: Final[Mapping[str, Handler]] = {
    "DeleteCertificate": delete,
    "GetInstalledCertificateIds": get_installed,
    "InstallCertificate": install,
}
"""In the words of 2.x."""

COMMANDS_16: Final[Mapping[str, Handler]] = {**COMMANDS, "GetInstalledCertificateIds": get_installed_16}
