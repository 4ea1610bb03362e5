"""The table of roles: which commands are not every operator's. Whoever may send commands may send all others.

| what | why |
|---|---|
| certificates: installed, deleted, signed | they say whom a station trusts, and as whom it speaks |
| network profiles | they send a station to another CSMS |
| firmware | it runs whatever it is given |
| settings of security, and of where a station connects | they lock a station out, or let others in |

What another service looks after is not sent from here at all (`OWNED`): it would go round what that service holds to.

A DataTransfer means what the vendor says; it is an operator's, as is all that only moves energy or asks for data.
`command` holds callers to this table. Services ask on Kafka, and hold their own callers to their own.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from chargebus_runtime.http import Role

Payload = Mapping[str, Any]

_ADMIN_ACTIONS: Final = frozenset(
    {
        "CertificateSigned",
        "DeleteCertificate",
        "InstallCertificate",
        "PublishFirmware",
        "SetNetworkProfile",
        "SignedUpdateFirmware",
        "UnpublishFirmware",
        "UpdateFirmware",
    }
)
_ADMIN_KEYS: Final = frozenset({"additionalrootcertificatecheck", "authorizationkey", "cponame", "securityprofile"})
_ADMIN_COMPONENTS: Final = frozenset({"networkconfiguration", "securityctrlr"})
_ADMIN_VARIABLES: Final = frozenset({("ocppcommctrlr", "networkconfigurationpriority")})


OWNED: Final[Mapping[str, str]] = {
    "DeleteCertificate": "POST /v1/stations/{station_id}/certificates/{certificate_id}/delete, which deletes no root"
    " that the station needs to come back",
}
"""Commands that callers of the HTTP API do not send from here, and which route does it instead."""


def role_for(action: str, payload: Payload) -> Role:
    """Return the least role that may send a command."""
    if action in _ADMIN_ACTIONS or (action in _BY_PAYLOAD and _BY_PAYLOAD[action](payload)):
        return Role.ADMIN
    return Role.OPERATOR


def _sets_security_of_v16(payload: Payload) -> bool:
    """Spec: OCPP 1.6 9.1 and the security whitepaper 1.3, configuration keys."""
    return _lower(payload.get("key")) in _ADMIN_KEYS


def _sets_security_of_v2(payload: Payload) -> bool:
    """Spec: OCPP 2.0.1 and 2.1 Part 2, referenced components and variables."""
    return any(
        component in _ADMIN_COMPONENTS or (component, variable) in _ADMIN_VARIABLES
        for component, variable in _variables(payload)
    )


def _variables(payload: Payload) -> Iterator[tuple[str, str]]:
    """Yield the names that a SetVariables gives; what has another shape breaks its schema, and is not sent."""
    listed = payload.get("setVariableData")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, Mapping):
            yield _name(each.get("component")), _name(each.get("variable"))


def _name(described: object) -> str:
    return _lower(described.get("name")) if isinstance(described, Mapping) else ""


def _lower(text: object) -> str:
    return text.strip().lower() if isinstance(text, str) else ""  # names of settings are compared without case


_BY_PAYLOAD: Final[Mapping[str, Callable[[Payload], bool]]] = {
    "ChangeConfiguration": _sets_security_of_v16,
    "SetVariables": _sets_security_of_v2,
}
