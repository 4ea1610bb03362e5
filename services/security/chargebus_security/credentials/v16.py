"""OCPP 1.6: how a station is told its password and its profile, and what it says to that."""

from typing import Final

AUTHORIZATION_KEY: Final = "AuthorizationKey"
SECURITY_PROFILE: Final = "SecurityProfile"


def password(secret: str) -> dict[str, object]:
    """Return the new password: hexadecimal digits. Spec: OCPP 1.6 security white paper A01, AuthorizationKey."""
    return {"key": AUTHORIZATION_KEY, "value": secret}


def profile(value: str) -> dict[str, object]:
    """Return the new profile. Spec: OCPP 1.6 security white paper A05, SecurityProfile."""
    return {"key": SECURITY_PROFILE, "value": value}


def reset(*, at_any_time: bool) -> dict[str, object] | None:
    """Return how it is restarted; None: not, since 1.6 cannot wait until nobody charges. Spec: OCPP 1.6 5.14."""
    return {"type": "Soft"} if at_any_time else None
