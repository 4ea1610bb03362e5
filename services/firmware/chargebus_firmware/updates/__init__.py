"""Firmware updates of single stations: asked for, followed, and judged by the version with which the station boots."""
