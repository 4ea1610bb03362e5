"""The database of rules, alerts and silences."""
