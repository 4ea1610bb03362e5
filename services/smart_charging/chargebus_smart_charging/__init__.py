"""Sites, limits, plans, profiles."""
