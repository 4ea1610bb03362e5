"""Configurations and stations as they go by them, in sets."""
