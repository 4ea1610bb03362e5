"""By which networks the station connects, and in which order it tries them; each has a security profile.

Spec: OCPP 2.0.1 B09, B10; OCPP 1.6 security white paper A05
"""

import ssl
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization

from chargebus_station import own_certificates
from chargebus_station.config import StationConfig, Tls
from chargebus_station.effects import Reconnect, Reply, status

if TYPE_CHECKING:
    from chargebus_station.commands import CommandDecider

Payload = dict[str, Any]

ATTEMPTS: Final = 3
"""How often a network is tried before the next one."""

FIRST_SLOT: Final = 0
MOST_SLOT: Final = 9
BY_CERTIFICATE: Final = 3
"""The highest profile, which has a certificate in the place of a password."""


@dataclass(frozen=True)
class CsmsNetwork:
    """A way to the CSMS: its address without the identity, and the security profile."""

    url: str
    security_profile: int

    def address(self, station_id: str) -> str:
        """Return the URL with the identity, percent-encoded."""
        return f"{self.url.rstrip('/')}/{quote(station_id, safe='')}"


@dataclass
class Networks:
    """The networks of a station.

    Attributes:
        slots: those that are set, by their slots.
        wanted: those that are tried, in order; the first one is in use.
        failures: how often that one failed in a row.
        secure_url: where a station of 1.6 finds profiles 2 and 3; None: it knows none.
    """

    slots: dict[int, CsmsNetwork]
    wanted: list[CsmsNetwork]
    secure_url: str | None = None
    failures: int = 0

    @classmethod
    def of(cls, config: StationConfig) -> "Networks":
        """Return those that a new station has."""
        first = CsmsNetwork(config.url, profile_of(config))
        return cls({FIRST_SLOT: first}, [first], config.secure_url)

    @property
    def used(self) -> CsmsNetwork:
        """The one that is tried now."""
        return self.wanted[0]

    def failed(self) -> None:
        """Note that there was no way through; after some times the next one is tried."""
        self.failures += 1
        if self.failures >= ATTEMPTS:
            self.failures = 0
            self.wanted.append(self.wanted.pop(0))

    def connected(self) -> None:
        """Note that it has worked."""
        self.failures = 0

    def restart(self, order: list[str]) -> None:
        """Try the networks of these slots from now on. Spec: OCPP 2.0.1 B10.FR.03, B10.FR.06."""
        found = [self.slots[int(slot)] for slot in order if slot.isdigit() and int(slot) in self.slots]
        if found:
            self.wanted, self.failures = found, 0

    def prefer(self, network: CsmsNetwork) -> None:
        """Try a network first from now on, then the others."""
        self.wanted = [network, *(each for each in self.wanted if each != network)]
        self.failures = 0


def profile_of(config: StationConfig) -> int:
    """Return the security profile of a new station."""
    if config.url.startswith("wss://"):
        return 2 if config.password else BY_CERTIFICATE
    return 1 if config.password else 0


def set_network(decider: "CommandDecider", payload: Payload) -> Reply:
    """Take a network into a slot, unless its profile is lower than that in use. Spec: OCPP 2.0.1 B09."""
    told, networks = payload["connectionData"], decider.state.networks
    slot = payload["configurationSlot"]
    lower = told["securityProfile"] < networks.used.security_profile
    if told["ocppTransport"] != "JSON" or lower or not FIRST_SLOT <= slot <= MOST_SLOT:
        return status("Rejected")
    networks.slots[slot] = CsmsNetwork(told["ocppCsmsUrl"], told["securityProfile"])
    return status("Accepted")


def set_profile_16(decider: "CommandDecider", value: str) -> Reply:
    """Use a higher profile from now on. Spec: OCPP 1.6 security white paper A05, SecurityProfile."""
    networks = decider.state.networks
    now = networks.used.security_profile
    wanted = int(value) if value.isdigit() else now
    may = wanted < BY_CERTIFICATE or own_certificates.STATION in decider.state.own_certificates.chains
    if networks.secure_url is None or not now < wanted <= BY_CERTIFICATE or not may:
        return status("Rejected")
    networks.prefer(CsmsNetwork(networks.secure_url, wanted))
    return status("Accepted", Reconnect())


def has_all(decider: "CommandDecider", order: str) -> bool:
    """Tell whether all slots of an order are set. Spec: OCPP 2.0.1 B10.FR.04."""
    slots = [part.strip() for part in order.split(",")]
    return all(slot.isdigit() and int(slot) in decider.state.networks.slots for slot in slots)


@dataclass(frozen=True)
class OwnTls(Tls):
    """What a station speaks TLS with that shows a certificate which it got over OCPP."""

    chain: bytes = b""
    private_key: bytes = b""

    def context(self) -> ssl.SSLContext:
        """Return what the next connection speaks TLS with; OpenSSL reads files only."""
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder) / "chain.pem", Path(folder) / "key.pem"
            certificate.write_bytes(self.chain)
            key.write_bytes(self.private_key)
            return Tls(self.ca_file, certificate, key).context()


def tls_of(config: StationConfig, network: CsmsNetwork, own: own_certificates.OwnCertificates) -> Tls | None:
    """Return what a connection speaks TLS with: for profile 3 with the station's own certificate, and for no other.

    What it got over OCPP replaces what it came with. Spec: OCPP 2.0.1 A02.FR.08
    """
    if config.tls is None or not network.url.startswith("wss://"):
        return None
    if network.security_profile != BY_CERTIFICATE:
        return replace(config.tls, certificate=None, key=None)
    if own_certificates.STATION not in own.chains:
        return config.tls
    chain, key = own.chains[own_certificates.STATION], own.chain_keys[own_certificates.STATION]
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return OwnTls(config.tls.ca_file, chain=b"".join(each.public_bytes(pem) for each in chain), private_key=private)
