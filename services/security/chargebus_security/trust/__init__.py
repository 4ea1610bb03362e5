"""Which roots stations are to trust, which they have, and what is done about the difference."""
