"""The database of roots on stations."""
