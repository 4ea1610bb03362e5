"""What planning does: over HTTP and by time."""
