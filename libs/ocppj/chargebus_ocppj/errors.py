"""What can be wrong with a call, and the RPC error code by which each version says so."""

from collections.abc import Mapping
from typing import ClassVar, Final, Literal

from chargebus_ocppj.versions import Version

Meaning = Literal[
    "format",
    "generic",
    "internal",
    "message_type",
    "not_implemented",
    "not_supported",
    "occurrence",
    "property",
    "protocol",
    "rpc_framework",
    "security",
    "structure",
    "type",
]

DESCRIPTION_LIMIT: Final = 255
"""Characters in an errorDescription. Spec: OCPP 2.0.1 and 2.1 Part 4, 4.2.3; 1.6 sets no limit and gets the same."""

CODE_LIMIT: Final = 50
"""Characters kept of an errorCode that a station sends; the longest that a version knows has 29."""

_SHARED: Final[Mapping[Meaning, str]] = {
    "generic": "GenericError",
    "internal": "InternalError",
    "not_implemented": "NotImplemented",
    "not_supported": "NotSupported",
    "property": "PropertyConstraintViolation",
    "protocol": "ProtocolError",
    "security": "SecurityError",
    "type": "TypeConstraintViolation",
}

# 1.6 has one code for whatever does not have the shape of a call; 2.x tells three cases apart.
_V16: Final[Mapping[Meaning, str]] = {
    **_SHARED,
    "format": "FormationViolation",
    "message_type": "FormationViolation",
    "occurrence": "OccurenceConstraintViolation",  # spelled so in 1.6, and kept by its errata
    "rpc_framework": "FormationViolation",
    "structure": "FormationViolation",
}

_V2: Final[Mapping[Meaning, str]] = {
    **_SHARED,
    "format": "FormatViolation",
    "message_type": "MessageTypeNotSupported",
    "occurrence": "OccurrenceConstraintViolation",
    "rpc_framework": "RpcFrameworkError",
    "structure": "ProtocolError",
}

_CODES: Final[Mapping[Version, Mapping[Meaning, str]]] = {"1.6": _V16, "2.0.1": _V2, "2.1": _V2}

RPC_ERROR_CODES: Final[Mapping[Version, frozenset[str]]] = {
    version: frozenset(codes.values()) for version, codes in _CODES.items()
}
"""The error codes that a version knows. Spec: OCPP-J 1.6 table 7; OCPP 2.0.1 Part 4 table 8; 2.1 Part 4 table 9"""


def error_code(version: Version, meaning: Meaning) -> str:
    """Return the RPC error code that says `meaning` in `version`; every meaning has one in every version.

    Spec: OCPP-J 1.6 4.2.3; OCPP 2.0.1 and 2.1 Part 4, 4.3
    """
    return _CODES[version][meaning]


def shorten(description: str) -> str:
    """Return the description cut to what an errorDescription may hold."""
    return description if len(description) <= DESCRIPTION_LIMIT else f"{description[: DESCRIPTION_LIMIT - 1]}…"


class OcppError(Exception):
    """The other side's fault: its call becomes a CALLERROR. Raise a subclass.

    Attributes:
        version: the version in which the answer is to be given.
        code: the RPC error code of that version.
        description: at most 255 characters.
        details: a JSON object.
    """

    meaning: ClassVar[Meaning] = "generic"

    def __init__(self, version: Version, description: str = "", details: bytes = b"{}") -> None:
        self.version = version
        self.code = error_code(version, self.meaning)
        self.description = shorten(description)
        self.details = details
        super().__init__(f"{self.code}: {self.description}")


class GenericRpcError(OcppError):
    """None of the other errors fits."""


class NotImplementedRpcError(OcppError):
    """The action is not one of the version's."""

    meaning = "not_implemented"


class NotSupportedRpcError(OcppError):
    """The action is known, but not for this receiver."""

    meaning = "not_supported"


class InternalRpcError(OcppError):
    """The receiver could not handle a valid call."""

    meaning = "internal"


class ProtocolRpcError(OcppError):
    """The call does not fit into the exchange: in 1.6 it is incomplete, in 2.x not built as the protocol has it."""

    meaning = "protocol"


class StructureError(OcppError):
    """The payload is no JSON object."""

    meaning = "structure"


class SecurityRpcError(OcppError):
    """The call may not be made, or not now."""

    meaning = "security"


class FormatError(OcppError):
    """The payload is not JSON, or holds what the action does not know."""

    meaning = "format"


class PropertyConstraintError(OcppError):
    """A field has a value that it may not have."""

    meaning = "property"


class OccurrenceConstraintError(OcppError):
    """A field is missing, or a list has too few or too many members."""

    meaning = "occurrence"


class TypeConstraintError(OcppError):
    """A field has the wrong JSON type."""

    meaning = "type"


class MessageTypeError(OcppError):
    """The message type number is not one of the version's."""

    meaning = "message_type"


class RpcFrameworkError(OcppError):
    """The message is not an RPC message: no array, no message id, the wrong number of elements."""

    meaning = "rpc_framework"
