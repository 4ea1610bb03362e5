"""Set-based queries on the tables."""
