"""What is known of certificates. Pure."""
