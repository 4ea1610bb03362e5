"""What is decided about the credentials of stations. Pure."""
