"""The database of customer information."""
