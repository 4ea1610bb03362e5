"""Campaigns, their stations, and what the registry says of stations."""
