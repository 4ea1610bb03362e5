"""What a request for a log is, and what becomes of it; pure."""
