"""The database of what is known of stations."""
