"""What a change of the registry does to the connections that are open."""

from typing import Final

from chargebus_events.registry import DEVIATION_RULES_KEY, ONBOARDING_KEY
from chargebus_runtime.secrets import fingerprint

from chargebus_edge.door.admission import BASIC, BASIC_OVER_TLS, CLIENT_CERTIFICATE
from chargebus_edge.door.registry import Registry, Terms
from chargebus_edge.log.connections import Connections
from chargebus_edge.log.stations import Ending
from chargebus_edge.rpc.connection import OcppConnection

_BY_PASSWORD: Final = (BASIC, BASIC_OVER_TLS)


class RegistryChanges:
    """Holds open connections to the terms on which they would be let in now."""

    def __init__(self, connections: Connections[OcppConnection]) -> None:
        self._connections = connections
        self.registry = Registry(self._changed)

    def _changed(self, key: str) -> None:
        if key == ONBOARDING_KEY:
            affected = [connection for connection in self._connections if connection.terms.onboarding]
        elif key == DEVIATION_RULES_KEY:
            affected = list(self._connections)
        else:
            affected = self._connections.of(key)
        for connection in affected:
            self.review(connection)

    def review(self, connection: OcppConnection) -> None:
        """Close a connection that would not be let in now; tell any other what it may do from now on."""
        terms = self.registry.find(connection.station.station_id)
        if terms is None:
            connection.close(Ending.TERMS)
        elif objection := _objection(connection, terms):
            connection.close(Ending.TERMS, objection)
        else:
            connection.protocol.register(terms.registration)
            connection.protocol.tolerance = self.registry.tolerance(terms)


def _objection(connection: OcppConnection, terms: Terms) -> str:
    """Return why a connection cannot stay on new terms, or an empty string."""
    before = connection.terms
    profile = connection.station.security_profile
    if profile in _BY_PASSWORD and connection.station.credential not in map(fingerprint, terms.passwords):
        return "the password has ended"
    if profile == CLIENT_CERTIFICATE and _certificates(terms) != _certificates(before):
        return "another client certificate may be required"
    if terms.registration == "rejected" and connection.protocol.registration != "rejected":
        return "the station is rejected"
    if terms.versions and connection.station.version not in terms.versions:
        return "the OCPP version is not allowed"
    if terms.security_profile > profile:
        return "a higher security profile is required"
    return ""


def _certificates(terms: Terms) -> tuple[str, tuple[str, ...]]:
    return terms.certificate_identity, terms.certificate_pins
