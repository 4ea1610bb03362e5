"""The authorities that meet in Plug & Charge: of charging stations, of contracts and of vehicles, each with its root.

    with pki_server() as server:
        v2g = V2gPki.make(server)
        contract = v2g.contract("DE8AAC123456780")
        v2g.mobility.revoke(contract)

Spec: ISO 15118-2 Annex F: below each root stand two intermediate authorities.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from chargebus_testkit.pki import CLIENT, DAY, Authority, Leaf, PkiServer, name

_VALID: Final = (-DAY, 10 * DAY)


@dataclass(frozen=True)
class V2gPki:
    """Four roots, and the lowest authority below each.

    Attributes:
        v2g: the root above the stations' operators; `operator` issues stations' certificates.
        mobility_root: the root above the providers of contracts; `mobility` issues contract certificates.
        vehicle_root: the root of a maker of vehicles; `vehicles` issues their provisioning certificates.
    """

    v2g: Authority
    operator: Authority
    mobility_root: Authority
    mobility: Authority
    vehicle_root: Authority
    vehicles: Authority

    @classmethod
    def make(cls, server: PkiServer | None = None) -> Self:
        """Return new ones."""
        v2g = Authority.root("V2G Root CA", server, domain="V2G")
        mobility_root = Authority.root("MO Root CA", server, domain="MO")
        vehicle_root = Authority.root("OEM Root CA", server, domain="OEM")
        return cls(
            v2g,
            v2g.sub("CPO Sub-CA 1", domain="CPO").sub("CPO Sub-CA 2", domain="CPO"),
            mobility_root,
            mobility_root.sub("MO Sub-CA 1", domain="MO").sub("MO Sub-CA 2", domain="MO"),
            vehicle_root,
            vehicle_root.sub("OEM Sub-CA 1", domain="OEM").sub("OEM Sub-CA 2", domain="OEM"),
        )

    def contract(self, emaid: str, *, valid: tuple[timedelta, timedelta] = _VALID) -> Leaf:
        """Return a contract certificate."""
        return self.mobility.leaf(name(emaid, "A provider", domain="MO"), usages=(), valid=valid)

    def provisioning(self, pcid: str) -> Leaf:
        """Return the provisioning certificate of a vehicle."""
        return self.vehicles.leaf(name(pcid, "A maker", domain="OEM"), usages=())

    def station(self, station_id: str) -> Leaf:
        """Return the certificate that a station shows to vehicles."""
        return self.operator.leaf(name(station_id, "An operator", domain="CPO"), usages=CLIENT)
