"""Queries about remote starts and stops."""
