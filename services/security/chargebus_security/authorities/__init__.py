"""Certificate authorities behind one interface: the built-in one, and others that speak EST."""
