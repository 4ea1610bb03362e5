"""The rules of links."""
