"""The rules of display messages."""
