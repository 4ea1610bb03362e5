"""OCPP 2.1: what it adds to the device model of 2.0.1."""

from typing import Final

LONGEST: Final = 2500
"""Spec: OCPP 2.1 SetVariableDataType.attributeValue."""
