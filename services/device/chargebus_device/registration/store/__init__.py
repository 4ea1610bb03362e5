"""Queries about stations, the onboarding policy and the registry."""
