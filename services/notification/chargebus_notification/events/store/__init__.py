"""The database of events."""
