"""Campaigns, their stations and when they are looked at, in sets."""
