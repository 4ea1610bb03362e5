"""Decisions about stations: pure functions of state, message, time and ids."""
