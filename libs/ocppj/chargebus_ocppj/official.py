"""Where the official JSON Schemas are: the files that the `ocpp` package brings."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final, Literal

import msgspec

from chargebus_ocppj.actions import is_known
from chargebus_ocppj.errors import NotImplementedRpcError
from chargebus_ocppj.versions import Version

Part = Literal["request", "response"]

FOLDERS: Final[Mapping[Version, str]] = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}

# How the file names end. A SEND is no request: its file is named like the action, and it has no other.
ENDINGS: Final[Mapping[tuple[Version, Part], tuple[str, ...]]] = {
    ("1.6", "request"): ("",),
    ("1.6", "response"): ("Response",),
    ("2.0.1", "request"): ("Request",),
    ("2.0.1", "response"): ("Response",),
    ("2.1", "request"): ("Request", ""),
    ("2.1", "response"): ("Response",),
}


def read_schema(version: Version, action: str, part: Part) -> dict[str, Any]:
    """Return the official JSON Schema of an action's request (or SEND) or response.

    Raises:
        NotImplementedRpcError: the version does not have the action, or the action no such part.
    """
    folder = files("ocpp") / FOLDERS[version] / "schemas"
    for ending in ENDINGS[version, part] if is_known(version, action) else ():
        file = folder / f"{action}{ending}.json"
        if file.is_file():
            return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    raise NotImplementedRpcError(version, f"{action!r} has no {part} in OCPP {version}")
