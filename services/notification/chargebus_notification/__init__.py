"""Alerts, subscriptions, display messages."""
