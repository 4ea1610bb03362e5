"""Owns the API keys and publishes them to every service."""
