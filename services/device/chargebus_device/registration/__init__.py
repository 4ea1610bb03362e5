"""Stations as operators register them, their passwords, the onboarding policy, and the registry topic."""
