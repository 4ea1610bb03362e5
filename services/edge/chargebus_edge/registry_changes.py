"""What a change of the registry does to the connections that are open."""

from chargebus_edge.connection import Connection
from chargebus_edge.connections import POLICY_VIOLATION, Connections
from chargebus_edge.registry import Admission, Registry


class RegistryChanges:
    """Holds open connections to the terms on which they would be let in now."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.registry = Registry(self._changed)

    def _changed(self, station_id: str) -> None:
        if station_id:
            affected = self._connections.of(station_id)
        else:
            affected = [connection for connection in self._connections if connection.station.admission.onboarding]
        for connection in affected:
            self.review(connection)

    def review(self, connection: Connection) -> None:
        """Close a connection that would not be let in now; tell any other its registration status."""
        admission = self.registry.find(connection.station.station_id)
        reason = "the station is not registered" if admission is None else _objection(connection, admission)
        if admission is None or reason:
            connection.close(POLICY_VIOLATION, reason)
        else:
            connection.link.register(admission.registration)


def _objection(connection: Connection, admission: Admission) -> str:
    """Return why a connection cannot stay on new terms, or an empty string."""
    before = connection.station.admission
    if admission.password_hash != before.password_hash:
        return "the password was changed"
    if admission.registration == "rejected" and connection.link.registration != "rejected":
        return "the station is rejected"
    if admission.versions and connection.station.version not in admission.versions:
        return "the OCPP version is not allowed"
    if admission.security_profile > before.security_profile:
        return "a higher security profile is required"
    return ""
