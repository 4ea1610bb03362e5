"""What is done about logs over HTTP, by uploads and by time."""
