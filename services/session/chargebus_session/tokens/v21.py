"""OCPP 2.1: what it adds to 2.0.1."""

from typing import Final

ID_TOKEN_LIMIT: Final = 255
"""Characters in an idToken. Spec: OCPP 2.1 IdTokenType"""
