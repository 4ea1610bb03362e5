"""The database of display messages."""
