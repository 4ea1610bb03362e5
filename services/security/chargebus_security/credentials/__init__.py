"""How stations prove who they are: passwords rotated, security profiles changed, on one station or on many."""
