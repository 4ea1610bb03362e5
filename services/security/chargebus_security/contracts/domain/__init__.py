"""What vehicles ask of a pool, and what a contract certificate is worth. Pure."""
