"""Owns stations, EVSEs and connectors: registration, boot, status, the registry."""
