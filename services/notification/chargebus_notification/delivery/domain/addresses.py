"""What mail and webhooks are addressed with: addresses of mail, and headers that a webhook may have."""

import re
from typing import Final

from chargebus_outbound.targets import NAME

_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_OURS: Final = frozenset(
    (
        *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"),
        *("keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
    )
)


def mail_objection(address: str) -> str:
    """Return what is wrong with an address of mail; empty if nothing is."""
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        return "an address of mail has a name, @ and a domain"
    if len(address) > 254 or len(local) > 64 or not _LOCAL.fullmatch(local):  # noqa: PLR2004 - RFC 5321, 4.5.3.1
        return "its name is none of RFC 5321 in ASCII without quotes"
    if not NAME.fullmatch(domain) or domain.endswith(".") or "." not in domain:
        return "its domain is none"
    return ""


def header_objection(name: str, value: str) -> str:
    """Return why a webhook cannot have a further header; empty if it can."""
    if not _TOKEN.fullmatch(name):
        return "a header's name is a token of RFC 9110"
    if not _VALUE.fullmatch(value):
        return f"the value of {name} must be printable ASCII"
    lower = name.lower()
    if lower in _OURS or lower.startswith(("webhook-", "proxy-")):
        return f"{name} is set by the sender"
    return ""
