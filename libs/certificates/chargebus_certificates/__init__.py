"""How certificates are named and read, and what proves whether one was revoked: no input or output, no clock."""
