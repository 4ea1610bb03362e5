"""OCPP 1.6: how a station is asked over what it transfers files."""

from collections.abc import Mapping
from typing import Any, Final

KEY: Final = "SupportedFileTransferProtocols"


def get_configuration() -> dict[str, object]:
    """Return GetConfiguration. Spec: OCPP 1.6 9.1.24 (SupportedFileTransferProtocols)."""
    return {"key": [KEY]}


def told(members: Mapping[str, Any]) -> object:
    """Return what a station answered to it, whatever that is."""
    keys = members.get("configurationKey")
    found = [each for each in keys if isinstance(each, dict)] if isinstance(keys, list) else []
    return next((each.get("value") for each in found if str(each.get("key", "")).lower() == KEY.lower()), None)
