"""What stations are to have, and what is done next about it. Pure."""
