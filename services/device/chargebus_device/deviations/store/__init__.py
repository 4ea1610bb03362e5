"""Queries about deviations, and about the rules of makes."""
