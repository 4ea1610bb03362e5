"""The edge's TLS listener in a system on one machine: its port, its settings, and which simulated stations use it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chargebus_embedded import free_port, is_free
from chargebus_station.config import Tls
from chargebus_station.contracts import Contract
from chargebus_station.fleet import ContractVehicle, SecureConnection
from chargebus_station.transaction import IdToken

from chargebus_cli.folder import DataFolder
from chargebus_cli.pki import EMAID, Pki, kept_pki
from chargebus_cli.wanted import HOST, Wanted

PCID: Final = "WMIDEM0000000001"
"""The provisioning certificate's id of the simulated vehicle that charges by contract, at the latter of those below."""

PROFILE_2: Final = "SIM-01"
PROFILE_3: Final = "SIM-02"
"""The simulated stations of security profiles 2 and 3."""

_OF_THE_USER: Final = frozenset({"EDGE_TLS_PORT", "EDGE_TLS_CERTIFICATES", "EDGE_TLS_CLIENT_CA"})
_LAST_PORT: Final = 65535
_HTTP_PORTS: Final = 4
"""The HTTP API's and those after it, which others take."""


@dataclass(frozen=True)
class TlsListener:
    """Where the edge speaks TLS, and with which certificates."""

    url: str
    port: int
    pki: Pki

    def environment(self) -> dict[str, str]:
        """Return the settings of services, the built-in authority's, too, whose certificates the edge trusts."""
        return {
            "EDGE_TLS_PORT": str(self.port),
            "EDGE_TLS_CERTIFICATES": str(self.pki.edge),
            "EDGE_TLS_CLIENT_CA": str(self.pki.root),
            "SECURITY_STATION_AUTHORITY": "built-in",
            "SECURITY_CA_FOLDER": str(self.pki.folder),
        }

    def contracts_environment(self) -> dict[str, str]:
        """Return the settings by which a vehicle gets its contract, and may charge though nobody answers for it."""
        return {
            "SECURITY_CONTRACTS_POOL": "test",
            "SECURITY_CONTRACTS_TEST_VEHICLES": json.dumps({PCID: EMAID}),
            "SECURITY_CONTRACTS_AWAY": "accept",
        }

    def vehicles(self) -> Mapping[str, ContractVehicle]:
        """Return the vehicles that charge by contract, by where they do so."""
        token = IdToken(EMAID, "eMAID", Contract(self.pki.contract(), is_central=True))
        return {PROFILE_3: ContractVehicle(PCID, token)}

    def stations(self) -> Mapping[str, SecureConnection]:
        """Return the simulated stations that connect here."""
        root, shown = self.pki.root, self.pki.station
        return {
            PROFILE_2: SecureConnection(self.url, Tls(root)),
            PROFILE_3: SecureConnection(self.url, Tls(root, shown)),
        }


def tls_listener(wanted: Wanted, folder: DataFolder, given: Mapping[str, str]) -> TlsListener | None:
    """Return the listener on the port after that without TLS, or, where it is taken, on one that is free.

    None: the environment says itself where TLS is spoken, and with what.

    Raises:
        CommandError: the certificates that were kept cannot be used.
    """
    if _OF_THE_USER & given.keys():
        return None
    port = wanted.ocpp_port + 1
    of_http = range(wanted.http_port, wanted.http_port + _HTTP_PORTS)
    if port > _LAST_PORT or port in of_http or not is_free(port, HOST):
        port = free_port()
    return TlsListener(f"wss://{HOST}:{port}/ocpp", port, kept_pki(folder.pki, HOST, PROFILE_3))
