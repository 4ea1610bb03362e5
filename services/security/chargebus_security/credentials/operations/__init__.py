"""What is done about credentials: over HTTP, by time, and when stations answer."""
